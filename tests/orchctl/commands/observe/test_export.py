"""`orchctl export` of the history of a real daemon."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

from tests.conftest import Instance, until
from tests.orchctl.composition.files import after, composition, written
from tests.orchctl.conftest import Orchctl


def test_export_has_a_row_per_agent_and_can_select_a_run_or_session(
    instance: Instance, orchctl: Orchctl, gate: Callable[[], None], tmp_path: Path
) -> None:
    orchctl("session", "new")
    flaky = ["sh", "-c", "exit $((2 - ORCHD_ATTEMPT))"]
    strategy = {"errorHandling": "retry"}
    mock = after("told", "again", runner="mock")
    written(tmp_path / "team.json", composition(after("again", command=flaky), mock, coordinationStrategy=strategy))
    env = {**instance.env, "ORCHD_MOCK_SECONDS": "0.01"}
    assert orchctl("run", "team.json", env=env).code == 0
    lead = instance.spawn("sh", "-c", f"orchctl wait $(orchctl spawn -- sh -c 'read x <{tmp_path}/gate')")
    until(lambda: instance.agent(lead)["status"] == "waiting")
    gate()
    instance.ctl("wait", lead)
    document = json.loads(orchctl("export", "--json").out)
    flaky_row, retried, parent, child = document["agents"]
    assert [agent["id"] for agent in document["agents"]] == ["agent-001", "agent-002", "agent-003", "agent-004"]
    assert (flaky_row["attempts"], flaky_row["status"], flaky_row["member"], flaky_row["cost_usd"]) == (
        2,
        "completed",
        "again",
        None,
    )
    assert flaky_row["queued_seconds"] > 0.4  # before its second attempt
    assert (retried["runner"], retried["tokens"] > 0, retried["cost_source"]) == ("mock", True, "simulated")
    assert (child["parent"], parent["waited_seconds"] > 0) == ("agent-003", True)
    totals = document["totals"]
    assert (totals["agents"], totals["attempts"]) == (4, 5)
    assert retried["cost_usd"] > 0
    assert totals["cost_usd"] is None  # no service was asked
    assert totals["agents_without_cost"] == 4
    assert totals["sequential_seconds"] == round(sum(agent["worked_seconds"] for agent in document["agents"]), 6)
    assert [agent["id"] for agent in json.loads(orchctl("export", "--json", "run-001").out)["agents"]] == [
        "agent-001",
        "agent-002",
    ]
    table = list(csv.DictReader(io.StringIO(orchctl("export", "session-001", "--csv").out)))
    assert [(row["id"], row["attempts"]) for row in table[:2]] == [("agent-001", "2"), ("agent-002", "1")]


def test_export_requires_exactly_one_format(instance: Instance, orchctl: Orchctl) -> None:
    assert orchctl("export").err == "usage: choose a format: --json or --csv\n"
    assert orchctl("export", "--json", "--csv").code == 2
    assert orchctl("export", "--csv").err.startswith("no-history: ")
    assert orchctl("export", "--csv", "agent-001").code == 2
