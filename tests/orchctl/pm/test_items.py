"""Work as every list has it."""

from __future__ import annotations

import pytest

from orchctl.pm.items import Item, by_urgency, slug


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("bd-a3f8.1", "bd-a3f8.1"),
        ("Fix the login!", "Fix-the-login"),
        ("../../etc", "etc"),
        ("", "task"),
        ("x" * 300, "x" * 80),
    ],
)
def test_a_text_becomes_the_name_of_a_file(text: str, name: str) -> None:
    assert slug(text) == name


def test_the_most_urgent_come_first_and_otherwise_none_overtakes() -> None:
    items = [Item("a", "a", priority=2), Item("b", "b", priority=0), Item("c", "c", priority=2)]
    assert [item.id for item in by_urgency(items)] == ["b", "a", "c"]
