"""Usage of agents as rows and sums."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pytest

from orchctl.exporters import export
from orchctl.history.lifecycles import AttemptHistory, Lifecycle
from orchctl.timeline.summary import History

LEAD = Lifecycle(
    "agent-001",
    "lead",
    "pm",
    None,
    0.0,
    [AttemptHistory(1, 0.0, 1.0, 9.0, "completed", waits=[(2.0, 7.0)])],
    "completed",
)
AGAIN = Lifecycle(
    "agent-002",
    'a "b", c',
    "sub-skill",
    "agent-001",
    3.0,
    [AttemptHistory(1, 2.0, 2.5, 3.0, "retried"), AttemptHistory(2, 3.0, 4.0, 6.0, "failed")],
    "failed",
    "exit code 3",
    6.0,
)
LATE = Lifecycle("agent-003", "late", "pm", None, 20.0, [AttemptHistory(1, 20.0, 22.0)])
HISTORY = History("all", [LEAD, AGAIN, LATE], [(0.0, 2)], 0.0, 25.0)
KNOWN = {
    "agent-001": {"status": "completed", "tokens": 100, "cost_usd": 0.5, "run": "run-001", "exit_code": 0},
    "agent-002": {"status": "failed", "reason": "exit code 3", "exit_code": 3, "tokens": 20, "cost_usd": None},
}


def test_a_row_sums_the_times_of_all_attempts_of_an_agent() -> None:
    lead, flaky, late = export.rows(HISTORY, KNOWN)
    times = ("attempts", "queued_seconds", "worked_seconds", "waited_seconds")
    assert [lead[key] for key in times] == [1, 1.0, 3.0, 5.0]
    assert [flaky[key] for key in times] == [2, 1.5, 2.5, 0.0]
    assert [late[key] for key in times] == [1, 2.0, 3.0, 0.0]
    assert (flaky["parent"], flaky["reason"], flaky["exit_code"]) == ("agent-001", "exit code 3", 3)
    assert (lead["run"], late["run"], late["tokens"], late["cost_usd"]) == ("run-001", None, None, None)
    assert all(tuple(row) == export.COLUMNS for row in (lead, flaky, late))


def test_a_row_names_dependencies_with_their_conditions() -> None:
    agents = {"agent-002": {"after": ["agent-001", "agent-003"], "conditions": {"agent-003": "any"}}}
    rows = export.rows(HISTORY, agents)
    assert [row["after"] for row in rows] == [None, "agent-001 agent-003:any", None]


def test_totals_compare_sequential_with_real_seconds() -> None:
    totals = export.totals(HISTORY, export.rows(HISTORY, KNOWN))
    assert (totals["sequential_seconds"], totals["real_seconds"]) == (8.5, 14.0)  # 0 to 9, and 20 to 25
    assert (totals["saved_seconds"], totals["speed_up"]) == (-5.5, pytest.approx(8.5 / 14.0, abs=0.001))
    assert (totals["agents"], totals["attempts"], totals["utilisation"]) == (3, 4, 8.5 / 50)
    assert (totals["tokens"], totals["input_tokens"], totals["cost_usd"], totals["agents_without_cost"]) == (
        120,
        None,
        0.5,
        2,
    )


def test_csv_output_can_be_read_back() -> None:
    rows = export.rows(HISTORY, KNOWN)
    read = list(csv.DictReader(io.StringIO(export.csv_of(rows))))
    assert [row["name"] for row in read] == ["lead", 'a "b", c', "late"]
    assert [row["cost_usd"] for row in read] == ["0.5", "", ""]
    assert float(read[1]["queued_seconds"]) == 1.5


def test_the_documentation_lists_exactly_the_export_columns() -> None:
    text = (Path(__file__).parents[3] / "docs/guides/watching.md").read_text()
    table = text.split("| column | unit | meaning |")[1].split("\n\n")[0]
    cells = [line.split("|")[1] for line in table.splitlines() if line]
    named = [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]
    assert sorted(named) == sorted(export.COLUMNS)
