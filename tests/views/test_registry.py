"""Finding agents: in memory while they are not over, in the store until they are pruned."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from orchd.core.handlers.backoff import MOST_SECONDS
from orchd.core.state.agents import Agent, AgentId, Level, Spec, agent_id
from orchd.core.state.runs import GroupPlan, Run, RunPlan, RunStatus, run_id
from orchd.protocol.errors import WireError
from tests.support.bench import Bench


def waiting(age: float = 0.0, **fields: Any) -> Agent:
    """An agent as an earlier daemon, on an earlier clock, left it."""
    return Agent(agent_id(1), Spec(("true",), "true", "/", "e"), Level.PM, (), 0, age, **fields)


@pytest.mark.parametrize("text", ["1", "01", "agent-1", "agent-001", "Agent-1", "AGENT-001"])
def test_an_agent_is_looked_up_by_any_form_of_its_id(bench: Bench, text: str) -> None:
    agent = bench.spawn("sleep", "600")
    assert bench.records.find(text) is agent


@pytest.mark.parametrize(
    "text", ["2", "agent-002", "", "0", "-1", "agent-", "one", "1 ", "٣", "9" * 16, "agent-agent-1"]
)
def test_text_that_names_no_agent_is_refused(bench: Bench, text: str) -> None:
    bench.spawn("sleep", "600")
    with pytest.raises(WireError) as caught:
        bench.records.find(text)
    assert caught.value.code == "unknown-agent"


@pytest.mark.parametrize("what", ["agent", "run", "session"])
def test_an_absent_record_with_an_issued_id_is_reported_as_pruned(bench: Bench, what: str) -> None:
    bench.state.last_number = bench.state.last_run = bench.state.last_session = 7
    records = bench.records
    finds: dict[str, Callable[[str], object]] = {
        "agent": records.find,
        "run": records.run,
        "session": records.session,
    }
    for number, code in (("007", "pruned"), ("008", f"unknown-{what}")):
        with pytest.raises(WireError, match=number) as caught:
            finds[what](f"{what}-{number}")
        assert caught.value.code == code


def test_a_finished_agent_is_in_memory_only_for_the_turn_of_its_recall(bench: Bench) -> None:
    agent = bench.spawn("true")
    bench.until_over(agent)
    assert bench.state.agents == {}
    assert bench.records.find("1").id == agent.id
    assert bench.state.agents == {}
    bench.records.recall("1")
    assert list(bench.state.agents) == [agent.id]
    bench.records.let_go()
    assert bench.state.agents == {}


def test_a_finished_run_is_in_memory_only_for_the_turn_that_keeps_it(bench: Bench) -> None:
    run = Run(run_id(1), RunPlan("run", (GroupPlan(""),), "/"), 0.0, RunStatus.FAILED)
    bench.records.keep(run)
    assert list(bench.state.runs) == [run.id]
    bench.records.let_go()
    assert bench.state.runs == {}


def test_an_unfinished_agent_is_not_released_from_memory(bench: Bench) -> None:
    agent = bench.spawn("sleep", "600")
    assert bench.records.recall("1") is agent
    bench.records.let_go()
    assert bench.records.find("1") is agent


def test_many_returns_agents_in_the_requested_order(bench: Bench) -> None:
    over = bench.spawn("true")
    bench.until_over(over)
    lives = bench.spawn("sleep", "600")
    assert [agent.id for agent in bench.records.many([lives.id, over.id])] == [lives.id, over.id]


def test_restored_times_ahead_of_the_clock_are_limited_after_a_reboot(bench: Bench) -> None:
    """The clock that is compared begins anew, so what was written down may lie days ahead of it."""
    bench.records.restore([waiting(age=9e6, ready_at=9e6)], now=100.0)
    agent = bench.state.agents[AgentId("agent-001")]
    assert agent.age == 100.0
    assert agent.ready_at is not None
    assert agent.ready_at <= 100.0 + MOST_SECONDS


def test_restored_times_within_bounds_are_unchanged(bench: Bench) -> None:
    bench.records.restore([waiting(age=7.0, ready_at=101.0)], now=100.0)
    agent = bench.state.agents[AgentId("agent-001")]
    assert (agent.age, agent.ready_at) == (7.0, 101.0)


def test_a_finished_agent_is_cached_until_its_retry(bench: Bench) -> None:
    agent = bench.spawn("false")
    bench.until_over(agent)
    first = bench.ask("status", {"ids": ["1"]})["agents"]
    assert bench.ask("status", {"ids": ["1", "1"]})["agents"] == first * 2
    bench.ask("retry", {"ids": ["1"]})
    assert bench.ask("status", {"ids": ["1"]})["agents"][0]["attempt"] == 2
    bench.until_over(bench.agent(agent.id))
    again = bench.ask("status", {"ids": ["1"]})["agents"][0]
    assert (again["status"], again["attempt"]) == ("failed", 2)


def test_the_cache_of_finished_agents_is_bounded(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchd.views.registry._REMEMBERED", 2)
    for _ in range(4):
        bench.until_over(bench.spawn("true"))
    bench.ask("status", {"ids": ["1", "2", "3", "4", "1"]})
    assert len(bench.records._over) == 2
    assert set(bench.records.maps) <= set(bench.records._over)


def test_a_name_means_the_unfinished_agent_or_else_the_newest(bench: Bench) -> None:
    first = bench.spawn("true", name="api")
    bench.until_over(first)
    assert bench.records.find("api").id == first.id
    second = bench.spawn("true", name="api")
    assert bench.records.find("api") is second
    bench.until_over(second)
    assert bench.records.find("api").id == second.id
    third, fourth = bench.spawn("sleep", "600", name="api"), bench.spawn("sleep", "600", name="api")
    with pytest.raises(WireError, match=f"2 unfinished agents have the name 'api': {third.id}, {fourth.id}") as caught:
        bench.records.find("api")
    assert caught.value.code == "ambiguous"


def test_a_name_lookup_ignores_the_bytes_of_a_goal(bench: Bench) -> None:
    agent = bench.spawn("true", name="api")
    bench.until_over(agent)
    other = bench.spawn("true", name="other", goal=b"\xa4name\xa3api".decode("utf-8", "surrogateescape"))
    bench.until_over(other)
    assert bench.records.find("api").id == agent.id


def test_an_agent_being_pruned_cannot_be_looked_up_by_name(bench: Bench) -> None:
    first, second = bench.spawn("true", name="api"), bench.spawn("true", name="api")
    bench.until_over(first)
    bench.until_over(second)
    bench.records.leave([second.id])
    assert bench.records.find("api").id == first.id


def test_the_error_for_another_kind_of_id_names_its_kind(bench: Bench) -> None:
    with pytest.raises(WireError, match="it is the session session-001") as caught:
        bench.records.find("session-1")
    assert caught.value.code == "unknown-agent"


def test_an_agent_looks_up_names_only_in_its_own_tree(bench: Bench) -> None:
    first, second = bench.spawn("sleep", "600", name="first"), bench.spawn("sleep", "600", name="other")
    assert bench.records.find("first", first.id) is first
    with pytest.raises(WireError, match=f"no agent in the tree of {first.id} has the id or name 'other'"):
        bench.records.find("other", first.id)
    assert bench.records.find(second.id, first.id) is second  # whether it may be seen is decided elsewhere
