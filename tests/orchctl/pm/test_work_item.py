"""Work items, the same for every list."""

from __future__ import annotations

from orchctl.pm.work_item import WorkItem, by_urgency


def test_the_most_urgent_come_first_and_otherwise_none_overtakes() -> None:
    items = [WorkItem("a", "a", priority=2), WorkItem("b", "b", priority=0), WorkItem("c", "c", priority=2)]
    assert [item.id for item in by_urgency(items)] == ["b", "a", "c"]
