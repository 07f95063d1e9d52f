"""What a turn leaves in the database: the tables, and the rows that facts and what they changed become."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from orchd.codec import describe, event_name, pack, pack_agent, pack_run, pack_spec
from orchd.core.facts import AgentCompleted, AgentQueued, AgentRevived, Fact, RunBegan, RunEnded, RunResumed
from orchd.core.model import Agent, AgentId, State, number_of
from orchd.core.runs import RunId, number_of_run

Row = tuple[object, ...]

SCHEMA = """
CREATE TABLE agents (
    number INTEGER PRIMARY KEY, root INTEGER NOT NULL, parent INTEGER, run INTEGER, is_over INTEGER NOT NULL,
    spec BLOB NOT NULL, doc BLOB NOT NULL
);
CREATE INDEX agents_unfinished ON agents (number) WHERE is_over = 0;
CREATE INDEX agents_by_root ON agents (root) WHERE parent IS NOT NULL;
CREATE INDEX agents_by_parent ON agents (parent) WHERE parent IS NOT NULL;
CREATE INDEX agents_by_run ON agents (run) WHERE run IS NOT NULL;
CREATE TABLE runs (number INTEGER PRIMARY KEY, root INTEGER, is_over INTEGER NOT NULL, doc BLOB NOT NULL);
CREATE INDEX runs_unfinished ON runs (number) WHERE is_over = 0;
CREATE TABLE skills (name BLOB PRIMARY KEY, samples INTEGER NOT NULL, seconds REAL NOT NULL);
CREATE TABLE facts (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, event TEXT NOT NULL, agent INTEGER, root INTEGER,
    doc BLOB NOT NULL
);
CREATE TABLE answers (
    number INTEGER PRIMARY KEY AUTOINCREMENT, request TEXT NOT NULL UNIQUE, op TEXT NOT NULL, caller INTEGER,
    result BLOB NOT NULL
);
CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL);
"""


def of(state: State, at: float, facts: Iterable[Fact]) -> Iterator[tuple[str, list[Row]]]:
    """Statements, each with all its rows."""
    facts = list(facts)
    yield (
        "INSERT INTO facts (at, event, agent, root, doc) VALUES (?, ?, ?, ?, ?)",
        [_of_fact(state, at, fact) for fact in facts],
    )
    inserts, updates = _of_agents(state, facts)
    yield "INSERT OR REPLACE INTO agents VALUES (?, ?, ?, ?, ?, ?, ?)", inserts
    yield "UPDATE agents SET is_over = ?, doc = ? WHERE number = ?", updates
    yield "INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?)", _of_runs(state, facts)
    yield (  # of the samples, the newest weighs three tenths
        "INSERT INTO skills VALUES (?, 1, ?) ON CONFLICT (name) DO UPDATE"
        " SET samples = samples + 1, seconds = seconds + 0.3 * (excluded.seconds - seconds)",
        _of_skills(state, facts),
    )


def _of_fact(state: State, at: float, fact: Fact) -> Row:
    one = getattr(fact, "agent", None)
    root = number_of(state.agents[one].root) if one else _root_of_run(state, getattr(fact, "run", None))
    return at, event_name(fact), number_of(one) if one else None, root, pack(describe(fact))


def _of_agents(state: State, facts: Iterable[Fact]) -> tuple[list[Row], list[Row]]:
    """Those whose spec is new in full, of the others what changes."""
    touched: dict[AgentId, bool] = {}
    for fact in facts:
        if (one := getattr(fact, "agent", None)) is not None:
            touched[one] = touched.get(one, False) or isinstance(fact, AgentQueued | AgentRevived)
    inserts: list[Row] = []
    updates: list[Row] = []
    for one, is_new in touched.items():
        agent = state.agents[one]
        if is_new:
            inserts.append((*_keys(agent), pack_spec(agent), pack_agent(agent)))
        else:
            updates.append((agent.is_over, pack_agent(agent), agent.number))
    return inserts, updates


def _keys(agent: Agent) -> Row:
    parent = number_of(agent.parent) if agent.parent else None
    run = number_of_run(agent.spec.member.run) if agent.spec.member else None
    return agent.number, number_of(agent.root), parent, run, agent.is_over


def _of_runs(state: State, facts: Iterable[Fact]) -> list[Row]:
    touched = {fact.run for fact in facts if isinstance(fact, RunBegan | RunEnded | RunResumed)}
    runs = [state.runs[one] for one in touched]
    return [(number_of_run(run.id), _root_of_run(state, run.id), run.is_over, pack_run(run)) for run in runs]


def _root_of_run(state: State, run: RunId | None) -> int | None:
    """The tree that a run is in; None for one that a person began, and for what is about no run."""
    ancestors = state.runs[run].plan.ancestors if run else ()
    return number_of(AgentId(ancestors[0])) if ancestors else None


def _of_skills(state: State, facts: Iterable[Fact]) -> list[Row]:
    """How long agents took that completed."""
    ended = (state.agents[fact.agent] for fact in facts if isinstance(fact, AgentCompleted))
    return [
        (bytes_of(agent.spec.skill), max(agent.ended_at - agent.started_at, 0.0))
        for agent in ended
        if agent.spec.skill and agent.ended_at is not None and agent.started_at is not None
    ]


def bytes_of(name: str) -> bytes:
    """A name as a key: it may have bytes that are not UTF-8 (PEP 383), which no TEXT can hold."""
    return name.encode("utf-8", "surrogateescape")
