"""The table of faults: its rows, and when a row is a failure."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.faults.__main__ import is_bad, markdown
from benchmarks.faults.tally import Tally

CLEAN = Tally(tries=3).as_json()
COSTLY = Tally(tries=3, lost=1).as_json()
LEFT_OUT: dict[str, Any] = {"name": "x", "fault": "an x", "left out": "no x here"}


def result(outcome: dict[str, object], planted: dict[str, object] | None) -> dict[str, Any]:
    bug = {} if planted is None else {"bug": "a bug", "planted": planted}
    return {"name": "x", "fault": "an x", "as it is": outcome, "seconds": 1.0, **bug}


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (result(CLEAN, COSTLY), False),
        (result(CLEAN, CLEAN), True),
        (result(COSTLY, COSTLY), True),
        (result(CLEAN, None), False),
        (LEFT_OUT, False),
    ],
    ids=["caught", "not caught", "costs something", "nothing planted", "left out"],
)
def test_a_row_with_losses_or_an_uncaught_planted_bug_is_bad(row: dict[str, Any], *, expected: bool) -> None:
    assert is_bad(row) is expected


def test_the_table_shows_the_losses_and_the_planted_bug() -> None:
    lines = markdown([result(CLEAN, COSTLY), result(CLEAN, CLEAN), LEFT_OUT]).splitlines()
    assert lines[2] == "| an x | 3 | 0 | 0 | 0 | 0 | 0 | a bug | yes: lost 1 |"
    assert lines[3].endswith("| a bug | NO |")
    assert "left out: no x here" in lines[4]
    assert {line.count("|") for line in lines} == {10}
