"""Rows that leave the database, and the answers about them afterwards."""

from __future__ import annotations

from contextlib import closing

import pytest

from orchd.core.state.agents import Instant
from orchd.core.state.state import State
from orchd.errors import StoreError
from orchd.store.database import Store
from orchd.store.pruning import Pruned, PrunedAgent, Root
from tests.support.bench import Bench

NOW = Instant(5.0, 5.0)


@pytest.fixture
def past(bench: Bench) -> Bench:
    """1; a run of 2 and 3; 4; all over, in one session, after the limit was changed."""
    bench.ask("limit", {"limit": 3})
    ends = [bench.spawn("true")]
    members = [{"path": path, "agent": {"command": ["true"]}} for path in ("a", "b")]
    env = {"PATH": "/usr/bin:/bin"}
    run = bench.ask("run", {"name": "r", "groups": [{}], "members": members, "cwd": "/", "env": env})
    ends += [bench.agent(agent["id"]) for agent in run["agents"]]
    ends.append(bench.spawn("true"))
    bench.until_over(*ends)
    return bench


def left(store: Store) -> list[tuple[int | None, str]]:
    """The events that there are, in short."""
    return [(event.agent, event.event) for event in store.events(0, 1000)]


def test_a_run_is_listed_once_and_as_a_whole(past: Bench) -> None:
    roots = past.store.roots(0, 10)
    assert roots == [Root(1, None), Root(2, 1), Root(3, 1), Root(4, None)]
    assert past.store.roots(1, 2) == roots[1:3]
    assert [[agent.number for agent in past.store.whole(root)] for root in roots] == [[1], [2, 3], [], [4]]


def test_pruning_deletes_events_of_pruned_agents_and_all_older_events(past: Bench) -> None:
    store = past.store
    chosen = [agent for root in store.roots(0, 2) for agent in store.whole(root)]
    store.take_out([PrunedAgent(1, 1)], [PrunedAgent(2, 1), PrunedAgent(3, 1)], chosen[:1])
    assert store.leaving() == [PrunedAgent(1, 1), PrunedAgent(2, 1), PrunedAgent(3, 1)]
    assert store.agent(chosen[0].id) is None
    events = left(store)
    assert {agent for agent, _ in events} == {None, 2, 3, 4}
    assert (None, "limit-changed") not in events
    assert {(None, "session-opened"), (None, "run-began")} < set(events)
    store.take_out([PrunedAgent(2, 1), PrunedAgent(3, 1)], [], chosen[1:])
    assert store.runs(None, 10) == []
    assert {agent for agent, _ in left(store)} == {4, None}
    assert (None, "run-began") not in left(store)
    assert store.pruned.agents == 3
    assert store.pruned.seq < store.last_seq()
    assert store.leaving() == [PrunedAgent(2, 1), PrunedAgent(3, 1)]


def test_the_pruned_count_survives_a_restart_without_double_counting(past: Bench) -> None:
    past.store.take_out([PrunedAgent(1, 1)], [PrunedAgent(2, 1)])
    past.store.finish()
    with closing(Store(past.home.database)) as again:
        again.restore(State(), NOW)
        assert again.pruned == past.store.pruned == Pruned(1, past.store.pruned.seq)
        again.take_out(again.leaving(), [])
        assert again.pruned.agents == 2
        again.take_out([PrunedAgent(1, 1)], [])
        assert again.pruned.agents == 2


def test_a_closed_session_is_deleted_with_its_last_agent(past: Bench) -> None:
    everyone = [PrunedAgent(number, 1) for number in range(1, 5)]
    past.store.take_out(everyone[:3], [])
    past.ask("session-close", {"id": "session-001"})
    past.store.take_out([PrunedAgent(1, 1)], [])
    assert [session.id for session in past.store.sessions(None, 10)] == ["session-001"]
    past.store.take_out(everyone[3:], [])
    assert past.store.sessions(None, 10) == []


def test_an_open_session_is_not_deleted(past: Bench) -> None:
    past.store.take_out([PrunedAgent(number, 1) for number in range(1, 5)], [])
    assert [session.id for session in past.store.sessions(None, 10)] == ["session-001"]


def test_rows_stay_when_the_database_refuses_the_deletion(past: Bench) -> None:
    past.store.finish()
    past.store._db.execute("CREATE TRIGGER no BEFORE DELETE ON agents BEGIN SELECT RAISE(ABORT, 'no'); END")
    with pytest.raises(StoreError, match="no"):
        past.store.take_out([PrunedAgent(1, 1)], [])
    past.store._db.rollback()
    assert past.store.agents([1])


def test_freed_space_in_the_database_file_is_reused(bench: Bench) -> None:
    def filled() -> int:
        bench.state.is_paused = True
        agents = [{"command": ["true"], "goal": "x" * 4000} for _ in range(200)]
        tickets = bench.ask("spawn", {"agents": agents, "cwd": "/", "env": {}})["agents"]
        bench.ask("cancel", {"ids": [ticket["id"] for ticket in tickets]})
        return int(bench.store._db.execute("PRAGMA page_count").fetchone()[0])

    first = filled()
    for _ in range(3):
        assert bench.prune(keep=0)["left"] == 0
        last = filled()
    assert last < 2 * first
