"""Agents as clients see them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchd.core.state.agents import Agent, Outcome, Status, agent_id
from orchd.core.state.indexes import enter_indexes, leave_indexes
from orchd.core.state.state import State
from orchd.instance.home import Home
from orchd.processes.linux.usage import Usage
from orchd.protocol.frames import pack_result, unpack_reply
from orchd.store.reader import StoredFact
from orchd.views import agents as views
from tests.support.bench import Bench
from tests.support.generated_agents import agents

HOME = Home(Path("/somewhere"))
ROOT = Path(__file__).parents[2]


def documented(heading: str) -> set[str]:
    """The keys that a table of docs/reference/protocol.md has in its first column."""
    section = (ROOT / "docs/reference/protocol.md").read_text().split(f"\n{heading}\n")[1].split("\n## ")[0]
    return {
        key
        for line in section.splitlines()
        if line.startswith("| `")
        for key in re.findall(r"`(\w+)`", line.split("|")[1])
    }


@given(agents(), st.lists(st.integers(1, 99), max_size=3))
def test_any_agent_can_be_shown_and_sent(agent: Agent, children: list[int]) -> None:
    state = State(agents={agent.id: agent})
    agent_map = views.agent_map(HOME, state, agent, 1e6, children, None)
    assert unpack_reply(pack_result("r", agent_map)).result == agent_map
    assert agent_map["status"] == agent.status.value
    assert agent_map["children"] == [agent_id(number) for number in children]


def test_the_keys_of_an_agent_match_the_documentation(bench: Bench) -> None:
    bench.spawn("sleep", "600")
    (agent_map,) = bench.ask("status")["agents"]
    assert set(agent_map) == documented("## Agent")


def test_the_documented_statuses_match_the_statuses_of_the_core() -> None:
    (row,) = [
        line
        for line in (ROOT / "docs/reference/protocol.md").read_text().splitlines()
        if line.startswith("| `status` | queued")
    ]
    words = [word.strip() for word in row.split("|")[2].split(",")]
    assert [word for word in words if word != "paused"] == [status.value for status in Status]


@pytest.mark.parametrize(
    ("code", "signal"),
    [
        (None, None),
        (0, None),
        (1, None),
        (128, None),
        (129, 1),
        (137, 9),
        (143, 15),
        (192, 64),
        (193, None),
        (255, None),
    ],
)
def test_a_fatal_signal_is_derived_from_the_exit_code_as_in_a_shell(
    bench: Bench, code: int | None, signal: int | None
) -> None:
    agent = bench.spawn("sleep", "600")
    agent.outcome = Outcome(code)
    agent_map = views.agent_map(bench.home, bench.state, agent, 0.0, [], None)
    assert (agent_map["exit_code"], agent_map["signal"]) == (code, signal)


def test_a_usage_sample_takes_precedence_over_the_final_usage(bench: Bench) -> None:
    agent = bench.spawn("sleep", "600")
    agent.outcome = Outcome(0, 1.5, 4096)

    def used(usage: Usage | None) -> tuple[object, object]:
        agent_map = views.agent_map(bench.home, bench.state, agent, 0.0, [], usage)
        return agent_map["cpu_seconds"], agent_map["rss_bytes"]

    assert used(None) == (1.5, 4096)
    assert used(Usage(0.0, 0)) == (0.0, 0)
    agent.outcome = None
    assert used(None) == (None, None)


def test_times_are_iso_8601_in_utc() -> None:
    event_map = views.event_map(StoredFact(7, 1_700_000_000.1239, "agent-completed", 3, {"a": 1}))
    assert event_map == {
        "seq": 7,
        "at": "2023-11-14T22:13:20.123Z",
        "event": "agent-completed",
        "agent": "agent-003",
        "a": 1,
    }
    assert views.event_map(StoredFact(8, 0.0, "admissions-paused", None, {}))["agent"] is None


def test_working_agents_are_counted_by_level(bench: Bench) -> None:
    assert views.levels(bench.state) == {"pm": 0, "composite": 0, "sub-skill": 0}
    agent = bench.spawn("sleep", "600")
    bench.spawn("sleep", "600")
    assert views.levels(bench.state) == {"pm": 2, "composite": 0, "sub-skill": 0}
    leave_indexes(bench.state, agent)
    agent.status = Status.WAITING
    enter_indexes(bench.state, agent)
    assert views.levels(bench.state)["pm"] == 1
    assert views.limit(bench.state) == {
        "enforcement": "strict",
        "frozen": 0,
        "stalled": False,
        "standing_still": [],
        "paused_agents": [],
        "limit": 7,
        "working": 1,
        "resident": 28,
        "living": 2,
        "overdrawn": 0,
        "by_command": False,
        "paused": False,
        "disk_pressure": False,
        "held": {},
    }


def test_an_agent_that_has_not_started_has_no_log(bench: Bench) -> None:
    bench.ask("pause")
    agent = bench.spawn("true")
    assert views.agent_map(bench.home, bench.state, agent, 0.0, [], None)["log"] is None
