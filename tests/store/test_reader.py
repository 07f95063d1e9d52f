"""Agents, runs and sessions that are asked for by what they have in common: a name, a session, a file of results."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchd.core.state.agents import Agent, Level, Spec, Status, agent_id
from orchd.core.state.events import AgentCompleted, AgentQueued, Event, LimitChanged, SessionClosed, SessionOpened
from orchd.core.state.sessions import Session, SessionId, session_id
from orchd.core.state.spending import Budget, Spent
from orchd.core.state.state import State
from orchd.store.database import Store
from orchd.store.pruning import PrunedAgent

FIRST, SECOND, THIRD = (session_id(number) for number in (1, 2, 3))
SPEC = Spec(("true",), "true", "/", "e")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An open database in an empty directory."""
    with closing(Store(tmp_path / "orchd.db")) as new_store:
        yield new_store


class History:
    """Agents and sessions that are written as they come."""

    def __init__(self, store: Store) -> None:
        self.store, self.state = store, State()

    def write(self, *events: Event) -> None:
        """Write these events."""
        self.store.commit(self.state, 1.0, events)

    def session(self, session: SessionId, directory: str) -> Session:
        """Open a session."""
        opened = self.state.sessions[session] = Session(session, directory, 1.0, budget=Budget(9), spent=Spent(5))
        self.write(SessionOpened(session, directory, None, opened.budget))
        return opened

    def agent(self, number: int, parent: int | None = None, status: Status = Status.QUEUED, **fields: Any) -> Agent:
        """Queue an agent, and end it if `status` says so."""
        above = () if parent is None else (agent_id(parent),)
        spec = replace(SPEC, **fields)
        queued = Agent(agent_id(number), spec, Level.PM, above, 0, 0.0)
        self.state.agents[queued.id] = queued
        self.write(AgentQueued(queued.id, spec, queued.level, above))
        queued.status = status
        self.write(AgentCompleted(queued.id))
        return queued


@pytest.fixture
def history(store: Store) -> History:
    """A history without agents."""
    return History(store)


def test_the_newest_agent_with_a_name_is_looked_up_by_tree_and_number(history: History) -> None:
    store = history.store
    for number, parent, name in ((1, None, "api"), (2, 1, "api"), (3, None, "ui"), (4, None, "api")):
        history.agent(number, parent, name=name)
    assert store.newest_named("api", None, (), 0) == agent_id(4)
    assert store.newest_named("api", None, {agent_id(4)}, 0) == agent_id(2)
    assert store.newest_named("api", agent_id(1), (), 0) == agent_id(2)
    assert store.newest_named("api", agent_id(3), (), 0) is None
    assert store.newest_named("api", None, {agent_id(4)}, 2) is None
    assert store.newest_named("nobody", None, (), 0) is None


def test_a_name_elsewhere_in_the_spec_is_not_the_agents_name(history: History) -> None:
    history.agent(1, name="ui", variables=(("name", "api"),), goal="\xa4name\xa3api")
    assert history.store.newest_named("api", None, (), 0) is None


def test_sessions_are_read_by_id_and_directory_newest_first(history: History) -> None:
    store = history.store
    first = history.session(FIRST, "/a\udcff")
    history.session(SECOND, "/b")
    third = history.session(THIRD, "/a\udcff")
    assert (store.session(FIRST), store.session(session_id(9))) == (first, None)
    assert [session.id for session in store.sessions(None, 2)] == [THIRD, SECOND]
    assert [session.id for session in store.sessions(3, 9)] == [SECOND, FIRST]
    assert store.sessions(None, 9, "/a\udcff") == [third, first]
    assert store.open_session("/a\udcff") == third
    for session in (third, first):
        session.closed_at = 2.0
        history.write(SessionClosed(session.id))
    assert store.open_session("/a\udcff") is None
    assert store.session(THIRD) == third


def test_a_session_lists_only_its_own_agents_and_events(history: History) -> None:
    store = history.store
    for session, directory in ((FIRST, "/a"), (SECOND, "/b")):
        history.session(session, directory)
    opened = store.last_seq()
    for number, parent, session in ((1, None, FIRST), (2, 1, FIRST), (3, None, SECOND), (4, None, FIRST)):
        history.agent(number, parent, session=session)
    history.write(LimitChanged(3, 9))
    assert store.in_session(FIRST, None, 9) == [4, 2, 1]
    assert store.in_session(FIRST, 4, 1) == [2]
    assert store.in_session(FIRST, None, 9, root=1) == [2, 1]
    assert store.in_session(session_id(9), None, 9) == []
    assert sorted(store.sessions_since(0)) == [FIRST, SECOND]
    assert store.sessions_since(opened + 6) == [FIRST]
    assert store.sessions_since(store.last_seq()) == []
    queued, completed = store.events_of(SECOND, opened)
    assert (queued.agent, queued.event, queued.doc["session"]) == (3, "agent-queued", SECOND)
    assert (completed.agent, completed.event) == (3, "agent-completed")
    assert [event.event for event in store.events_of(SECOND, 0)] == [
        "session-opened",
        "agent-queued",
        "agent-completed",
    ]
    assert store.events_of(SECOND, completed.seq) == []


def test_writers_returns_unfinished_agents_and_the_newest_completed(history: History) -> None:
    store, file = history.store, "/r\udcff.md"
    ends = (Status.COMPLETED, Status.COMPLETED, Status.FAILED, Status.RUNNING, Status.QUEUED)
    for number, status in enumerate(ends, 1):
        history.agent(number, status=status, result=file)
    history.agent(6, status=Status.FAILED, result="/other.md")
    assert [agent.number for agent in store.writers([file])] == [4, 5, 2]
    assert [agent.number for agent in store.writers(["/other.md", "/none.md"])] == []
    assert [agent.number for agent in store.writers(["/none.md", file])] == [4, 5, 2]


def test_the_writer_of_a_file_is_still_returned_after_pruning(history: History) -> None:
    store, file = history.store, "/r\udcff.md"
    completed = history.agent(1, status=Status.COMPLETED, result=file)
    failed = history.agent(2, status=Status.FAILED, result="/failed.md")
    plain = history.agent(3, status=Status.COMPLETED)
    store.take_out(
        [PrunedAgent(agent.number, 1) for agent in (completed, failed, plain)], [], [completed, failed, plain]
    )
    assert store.agents([1, 2, 3]) == []
    assert store.written_by([file, "/failed.md"]) == {file: completed.number}
