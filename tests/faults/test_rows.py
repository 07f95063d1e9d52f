"""The table of faults is whole: every planted bug fits the product as it is, and no command is left out."""

from __future__ import annotations

import pytest

from benchmarks.faults import commands, planting, soak
from benchmarks.faults.planting import Plant
from benchmarks.faults.rows import ROWS, Row
from benchmarks.faults.tally import Tally
from orchctl.commands.registry import COMMANDS

PLANTS = {row.name: row.plant for row in ROWS} | {plant.what: plant for plant in soak.PLANTS}


@pytest.mark.parametrize("plant", PLANTS.values(), ids=PLANTS)
def test_a_planted_bug_still_matches_the_source(plant: Plant) -> None:
    assert planting.fits(plant)
    assert plant.old != plant.new


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_row_has_several_tries_and_a_unique_name(row: Row) -> None:
    assert row.tries > 1
    assert [other.name for other in ROWS].count(row.name) == 1


def test_every_command_is_classified_for_the_client_kill_fault() -> None:
    assert set(COMMANDS) == commands.ASKED.keys() | commands.ELSEWHERE
    assert not commands.ASKED.keys() & commands.ELSEWHERE


def test_a_nonzero_count_is_a_trouble_and_is_noted() -> None:
    tally = Tally()
    tally.count("lost", 0, "nothing")
    assert (tally.troubles, tally.notes) == ({}, [])
    tally.count("twice", 2, "agent-001")
    assert tally.troubles == {"twice": 2}
    assert tally.notes == ["twice 2: agent-001"]
