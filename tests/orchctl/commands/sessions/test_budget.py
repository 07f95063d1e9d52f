"""`orchctl budget`."""

from __future__ import annotations

import json
from pathlib import Path

from tests.conftest import Instance
from tests.orchctl.composition.files import composition, written
from tests.orchctl.conftest import Orchctl
from tests.orchctl.spending import configure


def test_a_budget_is_shown_and_changed(instance: Instance, orchctl: Orchctl) -> None:
    orchctl("session", "new", "--max-tokens", "1000")
    assert orchctl("budget", "session-001").out == "session-001: spent nothing; budget 1,000 tokens\n"
    changed = orchctl("budget", "session-001", "--max-cost", "$2.5")
    assert changed.out == "session-001: spent nothing; budget 1,000 tokens and $2.50\n"
    assert json.loads(orchctl("budget", "session-1", "--max-tokens", "7", "--json").out) == {
        "id": "session-001",
        "max_tokens": 7,
        "max_cost": 2.5,
        "tokens": 0,
        "cost_usd": 0.0,
        "cost_unknown": 0,
        "reached": None,
    }
    assert orchctl("budget", "session-001", "--unlimited").out.endswith("budget unlimited\n")


def test_budget_refuses_invalid_arguments(instance: Instance, orchctl: Orchctl) -> None:
    assert orchctl("budget", "session-009").err.startswith("unknown-session: ")
    assert orchctl("budget", "run-009", "--max-tokens", "5").err.startswith("unknown-run: ")
    assert orchctl("budget", "session-001", "--unlimited", "--max-tokens", "5").code == 2
    assert "is not a positive dollar amount" in orchctl("budget", "session-001", "--max-cost", "much").err
    assert orchctl("session", "new", "--max-tokens", "0").err.startswith("usage: --max-tokens must be ")


def test_a_session_starts_no_agents_while_its_budget_is_used_up(instance: Instance, orchctl: Orchctl) -> None:
    orchctl("limit", "1")
    orchctl("session", "new", "--max-tokens", "1")
    configure(instance)
    first, second = (orchctl("spawn", "--runner", "real", "--goal", "x").out.strip() for _ in range(2))
    instance.ctl("wait", first)
    spent_tokens = instance.agent(first)["tokens"]
    assert spent_tokens > 1
    assert f"the budget of session-001 is used up: {spent_tokens:,} of 1 tokens" in instance.agent(second)["reason"]
    assert "; no new agents will start" in orchctl("budget", "session-001").out
    assert (
        orchctl("session", "list")
        .out.splitlines()[0]
        .endswith(f"stopped: budget reached: {spent_tokens:,} of 1 tokens")
    )
    orchctl("budget", "session-001", "--unlimited")
    instance.ctl("wait", second)


def test_why_names_the_budget_that_holds_a_run(instance: Instance, orchctl: Orchctl, tmp_path: Path) -> None:
    configure(instance)
    orchctl("session", "new", "--max-tokens", "1")
    assert orchctl("spawn", "--runner", "real", "--goal", "x", "--wait").code == 0
    written(tmp_path / "team.json", composition("a", "b"))
    run = orchctl("run", "team.json", "--runner", "real", "--detach").out.split()[0]
    answer = json.loads(orchctl("why", run, "--json").out)
    assert "the budget of session-001 is used up: 4,400 of 1 tokens" in answer["reason"]
    assert answer["way_out"].startswith("`orchctl budget session-001`")
    orchctl("budget", "session-001", "--unlimited")
    assert orchctl("wait", run).code == 0


def test_the_mock_runner_uses_up_no_budget(instance: Instance, orchctl: Orchctl) -> None:
    orchctl("session", "new", "--max-tokens", "1")
    mock = ["--runner", "mock", "--goal", "x", "--env", "ORCHD_MOCK_SECONDS=0", "--wait"]
    assert [orchctl("spawn", *mock).code for _ in range(2)] == [0, 0]
    assert orchctl("budget", "session-001").out.startswith("session-001: spent nothing")
