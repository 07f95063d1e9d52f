"""The agents that a `status` shows first, and the number of the others."""

from __future__ import annotations

from typing import Any

from orchd.core.state.agents import agent_id
from orchd.core.state.spending import Spent
from orchd.network.peers import Outside
from orchd.protocol import operations
from orchd.protocol.schema import parse
from tests.support.bench import Bench


def first(bench: Bench, most: int, *ids: str) -> tuple[list[str], dict[str, int]]:
    """Ids and counts of an answer to `status`."""
    answer = bench.ask("status", {"most": most, "ids": ids, "usage": False})
    assert answer["more"] is None
    return [agent["id"] for agent in answer["agents"]], answer["counts"]


def ids(*numbers: int) -> list[str]:
    """These agents."""
    return [agent_id(number) for number in numbers]


def test_status_lists_running_then_queued_then_recently_ended_agents(bench: Bench) -> None:
    bench.ask("limit", {"limit": 2})
    for _ in range(3):
        bench.until_over(bench.spawn("true"))
    bench.spawn("sleep", "600")
    bench.spawn("sleep", "600")
    bench.spawn("true", after=["5"])
    bench.spawn("true")
    bench.spawn("true", priority=9)
    counts = {"running": 2, "queued": 3}
    assert first(bench, 1) == (ids(4), counts)
    assert first(bench, 3) == (ids(4, 5, 8), counts)
    assert first(bench, 4) == (ids(4, 5, 7, 8), counts)
    assert first(bench, 5) == (ids(4, 5, 6, 7, 8), counts)
    assert first(bench, 6) == (ids(3, 4, 5, 6, 7, 8), {**counts, "ended": 3})
    assert first(bench, 0) == ([], counts)


def test_status_shows_the_first_named_agents_and_counts_each_once(bench: Bench) -> None:
    bench.until_over(bench.spawn("true"))
    bench.ask("pause")
    for _ in range(3):
        bench.spawn("true")
    assert first(bench, 2, "1", "3", "4", "3") == (ids(3, 4), {"ended": 1, "queued": 2})
    assert first(bench, 9, "1", "3") == (ids(1, 3), {"ended": 1, "queued": 1})


def test_status_includes_ancestors_and_shows_an_agent_its_own_tree(bench: Bench) -> None:
    bench.ask("limit", {"limit": 3})
    parent, other = bench.spawn("sleep", "600"), bench.spawn("sleep", "600")
    child = bench.spawn("sleep", "600")
    child.ancestors = (parent.id,)
    reply = bench.run(other.id, parse(operations.Status, {"most": 9}))
    assert [agent["id"] for agent in reply["agents"]] == [other.id]
    listing = bench.context.listing
    assert [agent.id for agent in listing._with_ancestors([child])] == [parent.id, child.id]


def test_a_whole_queue_is_listed_without_a_large_store_query(bench: Bench) -> None:
    bench.ask("pause")
    bench.ask("spawn", {"agents": [{"command": ["true"]}] * 700, "cwd": "/"})
    statements: list[str] = []
    bench.store._db.set_trace_callback(statements.append)
    assert first(bench, 10) == (ids(*range(1, 11)), {"queued": 700})
    bench.store._db.set_trace_callback(None)
    assert [statement for statement in statements if "json_each" in statement and len(statement) > 1000] == []


SLEEP = {"agents": [{"command": ["sleep", "600"]}], "cwd": "/", "project": "/first", "env": {"PATH": "/bin:/usr/bin"}}
TRUE = {**SLEEP, "agents": [{"command": ["true"]}], "project": "/second"}


def budgets(bench: Bench, caller: Any = Outside.OWNER, *named: str) -> list[str]:
    """The ids of the sessions and runs with a budget, as an answer to `status` shows them."""
    answer = bench.run(caller, parse(operations.Status, {"most": 9, "ids": list(named)}))
    return [agent["id"] for agent in answer["budgets"]]


def test_an_old_session_budget_is_shown_for_unfinished_or_named_agents(bench: Bench) -> None:
    bench.ask("limit", {"limit": 3})
    bench.ask("session-new", {"project": "/first", "max_tokens": 10})
    going = bench.ask("spawn", SLEEP)
    bench.ask("session-new", {"project": "/second", "max_cost": 1.0})
    bench.ask("spawn", TRUE)
    bench.until_over(bench.agent("2"))
    for number in range(60):
        bench.ask("session-new", {"project": f"/other/{number}", "max_tokens": 10})
    assert budgets(bench) == ["session-001"]
    assert budgets(bench, Outside.OWNER, "2") == ["session-001", "session-002"]
    assert budgets(bench, going["agents"][0]["id"]) == ["session-001"]


def test_status_counts_the_tokens_of_whole_sessions(bench: Bench) -> None:
    bench.ask("spawn", SLEEP)
    (session,) = bench.state.sessions.values()
    session.spent = session.spent.plus(Spent(input_tokens=1000, output_tokens=5))
    assert bench.ask("status", {"most": 0})["tokens"] == 0
    assert bench.ask("status", {"most": 1})["tokens"] == 1005
