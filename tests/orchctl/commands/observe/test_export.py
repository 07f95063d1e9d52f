"""`orchctl export`, of what a real daemon did."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

from tests.conftest import Instance, until
from tests.orchctl.composition.files import after, composition, written
from tests.orchctl.conftest import Orchctl


def test_each_agent_is_a_row_and_a_run_and_a_session_have_their_own(
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
    found = json.loads(orchctl("export", "--json").out)
    again, told, parent, child = found["agents"]
    assert [one["id"] for one in found["agents"]] == ["agent-001", "agent-002", "agent-003", "agent-004"]
    assert (again["attempts"], again["status"], again["member"], again["cost_usd"]) == (2, "completed", "again", None)
    assert again["queued_seconds"] > 0.4  # before its second attempt
    assert (told["runner"], told["tokens"] > 0, told["cost_source"]) == ("mock", True, "simulated")
    assert (child["parent"], parent["waited_seconds"] > 0) == ("agent-003", True)
    totals = found["totals"]
    assert (totals["agents"], totals["attempts"]) == (4, 5)
    assert told["cost_usd"] > 0
    assert totals["cost_usd"] is None  # no service was asked
    assert totals["agents_without_cost"] == 4
    assert totals["sequential_seconds"] == round(sum(one["worked_seconds"] for one in found["agents"]), 6)
    assert [one["id"] for one in json.loads(orchctl("export", "--json", "run-001").out)["agents"]] == [
        "agent-001",
        "agent-002",
    ]
    table = list(csv.DictReader(io.StringIO(orchctl("export", "session-001", "--csv").out)))
    assert [(one["id"], one["attempts"]) for one in table[:2]] == [("agent-001", "2"), ("agent-002", "1")]


def test_one_form_is_asked_for(instance: Instance, orchctl: Orchctl) -> None:
    assert orchctl("export").err == "usage: say in which form, --json or --csv\n"
    assert orchctl("export", "--json", "--csv").code == 2
    assert orchctl("export", "--csv").err.startswith("no-history: ")
    assert orchctl("export", "--csv", "agent-001").code == 2
