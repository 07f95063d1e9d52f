"""The shape of plans."""

from __future__ import annotations

import pytest

from orchctl.plans.shape import slug


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
