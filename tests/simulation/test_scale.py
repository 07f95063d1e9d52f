"""The plan beyond one machine keeps its word: every agent starts and ends, and no slot is idle."""

from __future__ import annotations

import pytest

from benchmarks.scale import FAMILY, LONGEST, MEMBERS, SHORTEST, Plain, Site, measured


@pytest.mark.parametrize(
    ("shape", "decisions"),
    [
        ("flat", 1 + 2 * 40),  # it is resumed; each starts and ends
        ("families", 1 + 10 * (FAMILY * 2 + 2)),  # and each parent spawns and waits
        ("runs", 1 + 4 * MEMBERS * 2),
    ],
)
def test_every_start_and_end_is_decided_once(shape: str, decisions: int) -> None:
    assert measured(Plain(shape, 7, 40)).decisions == decisions


def test_as_many_agents_run_at_once_as_there_are_slots() -> None:
    plain = Plain("flat", 10, 40)
    site = Site(plain)
    site.queue(plain)
    assert not site.state.living
    site.perform()
    least = 40 * SHORTEST / 10
    assert least <= site.now <= 40 / 10 * LONGEST
