"""Work items, the same for every list."""

from __future__ import annotations

from orchctl.pm.work_item import WorkItem, by_urgency


def test_items_are_sorted_by_urgency_and_keep_their_order_otherwise() -> None:
    items = [WorkItem("a", "a", priority=2), WorkItem("b", "b", priority=0), WorkItem("c", "c", priority=2)]
    assert [item.id for item in by_urgency(items)] == ["b", "a", "c"]
