"""`orchctl budget`."""

from __future__ import annotations

import json

from tests.conftest import Instance
from tests.orchctl.conftest import Orchctl


def test_it_is_shown_and_changed(instance: Instance, orchctl: Orchctl) -> None:
    orchctl("session", "new", "--max-tokens", "1000")
    assert orchctl("budget", "session-001").out == "session-001 has spent nothing, and may spend 1,000 tokens\n"
    changed = orchctl("budget", "session-001", "--max-cost", "$2.5")
    assert changed.out == "session-001 has spent nothing, and may spend 1,000 tokens and $2.50\n"
    assert json.loads(orchctl("budget", "session-1", "--max-tokens", "7", "--json").out) == {
        "id": "session-001",
        "max_tokens": 7,
        "max_cost": 2.5,
        "tokens": 0,
        "cost_usd": 0.0,
        "cost_unknown": 0,
        "reached": None,
    }
    assert orchctl("budget", "session-001", "--unlimited").out.endswith("may spend as much as it takes\n")


def test_what_makes_no_sense_is_refused(instance: Instance, orchctl: Orchctl) -> None:
    assert orchctl("budget", "session-009").err.startswith("unknown-session: ")
    assert orchctl("budget", "run-009", "--max-tokens", "5").err.startswith("unknown-run: ")
    assert orchctl("budget", "session-001", "--unlimited", "--max-tokens", "5").code == 2
    assert "no amount of dollars" in orchctl("budget", "session-001", "--max-cost", "much").err
    assert orchctl("session", "new", "--max-tokens", "0").err.startswith("bad-request: ")


def test_a_session_that_has_spent_it_starts_nothing_more_until_it_gets_more(
    instance: Instance, orchctl: Orchctl
) -> None:
    orchctl("limit", "1")
    orchctl("session", "new", "--max-tokens", "1")
    mock = ["--runner", "mock", "--goal", "x", "--env", "ORCHD_MOCK_SECONDS=0"]
    one, two = (orchctl("spawn", *mock).out.strip() for _ in range(2))
    instance.ctl("wait", one)
    spent = instance.agent(one)["tokens"]
    assert spent > 1
    assert f"session-001 has spent {spent:,} of 1 tokens; `orchctl budget" in instance.agent(two)["reason"]
    assert "; nothing more of it is started" in orchctl("budget", "session-001").out
    assert orchctl("session", "list").out.splitlines()[0].endswith(f"stopped: has spent {spent:,} of 1 tokens")
    orchctl("budget", "session-001", "--unlimited")
    instance.ctl("wait", two)
