"""The tables, and the rows that events and the objects they changed become."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeGuard

from orchd.core.state.agents import AgentId, number_of
from orchd.core.state.events import (
    AgentCompleted,
    AgentQueued,
    AgentRevived,
    Event,
    ProcessEnded,
    RunEvent,
    SessionEvent,
)
from orchd.core.state.runs import RunId, number_of_run
from orchd.core.state.sessions import SessionId, number_of_session
from orchd.core.state.state import State
from orchd.store.codec import describe, event_name, pack, pack_agent, pack_run, pack_session, pack_spec

Row = tuple[object, ...]

SCHEMA = """
CREATE TABLE agents (
    number INTEGER PRIMARY KEY, root INTEGER NOT NULL, parent INTEGER, run INTEGER, session INTEGER, result BLOB,
    is_over INTEGER NOT NULL, spec BLOB NOT NULL, doc BLOB NOT NULL
);
CREATE INDEX agents_unfinished ON agents (number) WHERE is_over = 0;
CREATE INDEX agents_by_root ON agents (root) WHERE parent IS NOT NULL;
CREATE INDEX agents_by_parent ON agents (parent) WHERE parent IS NOT NULL;
CREATE INDEX agents_by_run ON agents (run) WHERE run IS NOT NULL;
CREATE INDEX agents_by_session ON agents (session, number) WHERE session IS NOT NULL;
CREATE INDEX agents_by_result ON agents (result) WHERE result IS NOT NULL;
CREATE TABLE sessions (
    number INTEGER PRIMARY KEY, directory BLOB NOT NULL, is_closed INTEGER NOT NULL, doc BLOB NOT NULL
);
CREATE INDEX sessions_by_directory ON sessions (directory, number);
CREATE TABLE runs (number INTEGER PRIMARY KEY, root INTEGER, is_over INTEGER NOT NULL, doc BLOB NOT NULL);
CREATE INDEX runs_unfinished ON runs (number) WHERE is_over = 0;
CREATE TABLE skills (name BLOB PRIMARY KEY, samples INTEGER NOT NULL, seconds REAL NOT NULL);
CREATE TABLE facts (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, event TEXT NOT NULL, agent INTEGER, root INTEGER,
    session INTEGER, doc BLOB NOT NULL
);
CREATE TABLE answers (
    number INTEGER PRIMARY KEY AUTOINCREMENT, request TEXT NOT NULL UNIQUE, op TEXT NOT NULL, caller INTEGER,
    result BLOB NOT NULL
);
CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL);
CREATE INDEX facts_by_root ON facts (root) WHERE root IS NOT NULL;
CREATE TABLE results (result BLOB PRIMARY KEY, number INTEGER NOT NULL);
"""


def of(state: State, at: float, events: Iterable[Event]) -> Iterator[tuple[str, list[Row]]]:
    """Yield the statements of a turn, each with all its rows."""
    events = list(events)
    facts: list[Row] = []
    for event in events:
        agent = getattr(event, "agent", None)
        root = number_of(state.agents[agent].root) if agent else _root_of_run(state, getattr(event, "run", None))
        session = session_of(state, event)
        session_number = number_of_session(session) if session else None
        agent_number = number_of(agent) if agent else None
        facts.append((at, event_name(event), agent_number, root, session_number, pack(describe(event))))
    yield "INSERT INTO events (at, event, agent, root, session, doc) VALUES (?, ?, ?, ?, ?, ?)", facts
    inserts, updates = _of_agents(state, events)
    yield "INSERT OR REPLACE INTO agents VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", inserts
    yield "UPDATE agents SET is_over = ?, doc = ? WHERE number = ?", updates
    touched = {event.run for event in events if isinstance(event, RunEvent)}
    spenders = (state.agents[event.agent].spec.member for event in events if _has_spent(event))
    touched |= {member.run for member in spenders if member is not None}
    runs = [state.runs[run] for run in touched]
    run_rows: list[Row] = [
        (number_of_run(run.id), _root_of_run(state, run.id), run.is_over, pack_run(run)) for run in runs
    ]
    yield "INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?)", run_rows
    yield "INSERT OR REPLACE INTO sessions VALUES (?, ?, ?, ?)", _of_sessions(state, events)
    completed = (state.agents[event.agent] for event in events if isinstance(event, AgentCompleted))
    durations: list[Row] = [
        (bytes_of(agent.spec.skill), max(agent.ended_at - agent.started_at, 0.0))
        for agent in completed
        if agent.spec.skill and agent.ended_at is not None and agent.started_at is not None
    ]
    yield (  # of the samples, the newest weighs three tenths
        "INSERT INTO skills VALUES (?, 1, ?) ON CONFLICT (name) DO UPDATE"
        " SET samples = samples + 1, seconds = seconds + 0.3 * (excluded.seconds - seconds)",
        durations,
    )


def session_of(state: State, event: Event) -> SessionId | None:
    """Return the session that an event is about; None for an event about the host."""
    if (agent := getattr(event, "agent", None)) is not None:
        return state.agents[agent].spec.session
    if (run := getattr(event, "run", None)) is not None:
        return state.runs[run].plan.session
    return getattr(event, "session", None)


def _of_agents(state: State, events: Iterable[Event]) -> tuple[list[Row], list[Row]]:
    """Return full rows of agents with a new spec, and updates of the others."""
    touched: dict[AgentId, bool] = {}
    for event in events:
        if (agent_id := getattr(event, "agent", None)) is not None:
            touched[agent_id] = touched.get(agent_id, False) or isinstance(event, AgentQueued | AgentRevived)
    inserts: list[Row] = []
    updates: list[Row] = []
    for agent_id, is_new in touched.items():
        agent = state.agents[agent_id]
        if is_new:
            parent = number_of(agent.parent) if agent.parent else None
            run = number_of_run(agent.spec.member.run) if agent.spec.member else None
            session = number_of_session(agent.spec.session) if agent.spec.session else None
            result = bytes_of(agent.spec.result) if agent.spec.result else None
            keys = (agent.number, number_of(agent.root), parent, run, session, result, agent.is_over)
            inserts.append((*keys, pack_spec(agent), pack_agent(agent)))
        else:
            updates.append((agent.is_over, pack_agent(agent), agent.number))
    return inserts, updates


def _has_spent(event: Event) -> TypeGuard[ProcessEnded]:
    return isinstance(event, ProcessEnded) and event.outcome.report is not None


def _of_sessions(state: State, events: Iterable[Event]) -> list[Row]:
    changing = (event for event in events if isinstance(event, SessionEvent | AgentQueued) or _has_spent(event))
    touched = {session for event in changing if (session := session_of(state, event)) is not None}
    return [
        (
            number_of_session(session.id),
            bytes_of(session.directory),
            session.closed_at is not None,
            pack_session(session),
        )
        for session in map(state.sessions.__getitem__, touched)
    ]


def _root_of_run(state: State, run: RunId | None) -> int | None:
    """Return the number of the root of the tree that a run is in; None for a run that a user began, and without a
    run."""
    ancestors = state.runs[run].plan.ancestors if run else ()
    return number_of(AgentId(ancestors[0])) if ancestors else None


def bytes_of(name: str) -> bytes:
    """Return a name as a key: it may have bytes that are not UTF-8 (PEP 383), which no TEXT can hold."""
    return name.encode("utf-8", "surrogateescape")
