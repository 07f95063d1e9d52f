"""The planted defects still fit the source, and every one of them is noticed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.core.mutants import MUTANTS
from tests.core.planting import ROOT, Mutant, copy_to, is_killed, run
from tests.stateful.stress import stress

IDS = [mutant.promise.replace(" ", "-") for mutant in MUTANTS]


@pytest.mark.parametrize("mutant", MUTANTS, ids=IDS)
def test_each_planted_defect_matches_the_source_exactly_once(mutant: Mutant) -> None:
    assert (ROOT / "orchd" / "core" / mutant.file).read_text().count(mutant.old) == 1
    assert mutant.old != mutant.new
    path, _, function = mutant.test.partition("::")
    assert f"def {function.partition('[')[0]}(" in (ROOT / path).read_text()


def test_no_defect_is_planted_twice() -> None:
    assert len({(mutant.file, mutant.old, mutant.new) for mutant in MUTANTS}) == len(MUTANTS)


@stress
def test_the_tests_of_the_planted_defects_pass_without_a_defect(tmp_path: Path) -> None:
    copy_to(tmp_path)
    assert run(tmp_path, sorted({mutant.test for mutant in MUTANTS})) == 0


@stress
@pytest.mark.parametrize("mutant", MUTANTS, ids=IDS)
def test_each_planted_defect_makes_its_test_fail(mutant: Mutant) -> None:
    assert is_killed(mutant)
