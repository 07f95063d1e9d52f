"""The State: all that decisions need to know, which only `apply` changes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from orchd.core.state.agents import Agent, AgentId
from orchd.core.state.ready_queue import Queue
from orchd.core.state.runs import Run, RunId
from orchd.core.state.sessions import Session, SessionId


class RateLimit(NamedTuple):
    """The end of a runner's rate limit, on two clocks, and the message of its service."""

    mono: float
    wall: float
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Guards:
    """Limits against runaway trees, from the configuration and not from the state."""

    depth: int = 3  # levels of agents
    children: int = 20  # unfinished children of an agent
    agents: int = 500  # ever spawned from inside a tree


@dataclass(slots=True)
class State:
    """All unfinished agents and runs, and the settings that decisions need. Finished ones are in the store."""

    limit: int = 7
    resident: int = 28
    is_limit_set: bool = False  # both numbers by a command; otherwise by the configuration
    guards: Guards = field(default_factory=Guards)
    is_strict: bool = True  # an agent whose wait ended early works only in a slot; from the configuration
    stall_after: float = 30.0  # seconds before an agent that only polls lends its slot; from the configuration
    rate_limit_waits: int = 10  # how often an agent waits for its service before it fails; from the configuration
    rate_limit_time: float = 8 * 86_400.0  # seconds from its first rate limit to the end of its last; likewise
    is_new_next: bool = False  # the last slot went back to an agent whose wait was cut short; a new agent is next
    stalled_since: float | None = None  # mono, of this daemon
    is_stall_announced: bool = False
    standing: frozenset[AgentId] = frozenset()  # in a lent slot without progress for `stall_after`, as this daemon saw
    is_paused: bool = False
    is_draining: bool = False  # of this daemon, never remembered
    has_disk_pressure: bool = False  # measured anew by every daemon
    spawn_backoff_until: float = 0.0  # mono; the machine refused to start a process
    holds: dict[str, RateLimit] = field(default_factory=dict)  # by runner
    refusals: int = 0  # starts that the machine refused in succession
    remedy: str = ""  # what would end the refusals, where that is known
    last_number: int = 0
    last_run: int = 0
    last_session: int = 0
    seed: int = 1
    agents: dict[AgentId, Agent] = field(default_factory=dict)
    runs: dict[RunId, Run] = field(default_factory=dict)
    sessions: dict[SessionId, Session] = field(default_factory=dict)
    # Indexes: each is derived from `agents` inside `apply`, and `check` compares it with a count.
    living: dict[AgentId, Agent] = field(default_factory=dict)
    waiting: dict[AgentId, Agent] = field(default_factory=dict)  # living agents that wait
    due: dict[AgentId, Agent] = field(default_factory=dict)  # living agents with a wait that has ended, or to be thawed
    expiring: dict[AgentId, Agent] = field(default_factory=dict)  # living agents with a wait that has a deadline
    awaited: dict[AgentId, set[AgentId]] = field(default_factory=dict)  # the waiters of an agent
    children: dict[AgentId, set[AgentId]] = field(default_factory=dict)
    dependents: dict[AgentId, set[AgentId]] = field(default_factory=dict)
    conditional: dict[AgentId, set[AgentId]] = field(default_factory=dict)  # queued agents by agents in `conditions`
    environments: dict[str, int] = field(default_factory=dict)
    in_sessions: dict[SessionId, int] = field(default_factory=dict)  # unfinished agents
    queue: Queue = field(default_factory=Queue)

    def unfinished(self, ids: Iterable[AgentId]) -> Iterator[Agent]:
        """Yield the agents of `ids` that have not finished. An agent that is not in memory has finished."""
        for agent in map(self.agents.get, ids):
            if agent is not None and not agent.is_over:
                yield agent
