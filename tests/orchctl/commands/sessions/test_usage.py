"""`orchctl usage`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Instance
from tests.orchctl.composition.files import composition, written
from tests.orchctl.conftest import Orchctl
from tests.orchctl.spending import configure

REAL = ("--runner", "real", "--goal", "x")
MOCK = ("--runner", "mock", "--goal", "x", "--env", "ORCHD_MOCK_SECONDS=0")


def usage(orchctl: Orchctl, *ids: str) -> dict[str, dict[str, Any]]:
    """Return the rows by their ids."""
    return {row["id"]: row for row in json.loads(orchctl("usage", *ids, "--json").out)["usage"]}


@pytest.fixture
def spent(instance: Instance, orchctl: Orchctl, tmp_path: Path) -> Orchctl:
    """A project with an agent that was expected to take 500 tokens, one that reports nothing, and a run of two."""
    configure(instance)
    assert orchctl("spawn", "--name", "api", "--tokens", "500", *REAL, "--wait").code == 0
    assert orchctl("spawn", "--name", "plain", "--wait", "--", "true").code == 0
    written(tmp_path / "team.json", composition("a", "b"))
    assert orchctl("run", "team.json", "--runner", "real").code == 0
    return orchctl


def test_usage_of_a_session_or_run_is_the_sum_of_its_agents(spent: Orchctl) -> None:
    rows = usage(spent)
    assert list(rows) == ["session-001", "run-001", "agent-001", "agent-002", "agent-003", "agent-004"]
    members = [rows["agent-003"], rows["agent-004"]]
    for key in ("tokens", "tokens_expected", "input_tokens", "output_tokens", "cost_usd"):
        assert rows["run-001"][key] == pytest.approx(sum(member[key] for member in members))
        direct_tokens = sum(rows[agent_id][key] or 0 for agent_id in ("agent-001", "agent-002"))
        assert rows["session-001"][key] == pytest.approx(rows["run-001"][key] + direct_tokens)
    assert rows["agent-001"]["tokens_expected"] == 500
    assert rows["agent-001"]["tokens"] > 500
    assert rows["agent-002"]["tokens"] is None


def test_session_show_and_run_status_report_the_same_usage(spent: Orchctl) -> None:
    session = json.loads(spent("session", "show", "--json").out)["session"]
    assert session["tokens"] == usage(spent)["session-001"]["tokens"]
    assert session["tokens_expected"] == usage(spent)["session-001"]["tokens_expected"]
    run = json.loads(spent("run-status", "run-001", "--json").out)["run"]
    assert run["tokens"] == usage(spent, "run-001")["run-001"]["tokens"]


def test_usage_shows_the_rows_of_the_given_ids(spent: Orchctl) -> None:
    assert list(usage(spent, "agent-002", "run-1")) == ["agent-002", "run-001", "agent-003", "agent-004"]
    head, session, *_ = spent("usage").out.splitlines()
    assert head.split() == ["expected", "tokens", "input", "output", "cached", "cost"]
    assert session.split()[0] == "session-001"
    assert session.split()[-1].startswith("~$0.0")
    assert spent("usage", "agent-099").err.startswith("unknown-agent: ")


def test_simulated_usage_is_marked_and_excluded_from_sums(spent: Orchctl) -> None:
    before = json.loads(spent("session", "show", "--json").out)["session"]
    assert spent("spawn", "--name", "pretender", *MOCK, "--wait").code == 0
    rows = usage(spent)
    assert (rows["agent-005"]["cost_source"], rows["agent-005"]["tokens"] > 1000) == ("simulated", True)
    assert rows["session-001"]["tokens"] == before["tokens"]
    after = json.loads(spent("session", "show", "--json").out)["session"]
    assert (after["tokens"], after["cost_usd"]) == (before["tokens"], before["cost_usd"])
    (line,) = (line for line in spent("usage").out.splitlines() if line.startswith("agent-005"))
    assert "  mock $0.0" in line
    assert "k mock tokens" in spent("status", "agent-005").out
    exported = json.loads(spent("export", "--json").out)
    assert exported["totals"]["tokens"] == before["tokens"]
