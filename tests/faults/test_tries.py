"""One try of the quick rows: that faults of these kinds cost nothing is looked at in every run of the suite."""

from __future__ import annotations

import random
from collections.abc import Generator
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks.faults import journal, layer, power
from benchmarks.faults.lab import Lab
from benchmarks.faults.rows import ROWS
from benchmarks.faults.tally import Tally

QUICK = ("kill-write", "disk-error", "closers")
HERE = {row.name: row for row in ROWS if row.name in QUICK}


@pytest.fixture(autouse=True)
def _home_of_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHD_HOME", "/nowhere")  # a lab says whose its daemons are, and that is put back


@pytest.mark.slow
@pytest.mark.parametrize("name", QUICK)
def test_a_quick_fault_causes_no_trouble(name: str) -> None:
    row, tally = HERE[name], Tally()
    if why_not := row.why_not():
        pytest.skip(why_not)
    trying = row.trying(tally)
    assert isinstance(trying, Generator)
    with closing(trying):
        next(trying)
    assert tally.troubles == {}, tally.notes


@pytest.mark.slow
@pytest.mark.skipif(bool(layer.is_missing()), reason=layer.is_missing())
def test_acknowledged_changes_survive_a_power_cut(tmp_path: Path) -> None:
    tally = Tally()
    with Lab(tally, "limit = 2\n") as lab:
        changes = power.recorded(lab, batches=1)
    count = 0
    for number, (moment, files) in enumerate(power.disks(changes, random.Random(1))):
        if number % 40 == 0:
            journal.write(tmp_path / f"{number}", files, power.MEMORY)
            power.check_store(tally, tmp_path / f"{number}/home", moment)
            count += 1
    assert count > 5
    assert len(moment.ended) == 6
    assert tally.troubles == {}, tally.notes
