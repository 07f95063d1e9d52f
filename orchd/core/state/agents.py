"""Agents: their specs, statuses and waits, and the outcomes of their attempts."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple, NewType

from orchd.core.state.runs import Membership
from orchd.core.state.sessions import SessionId
from orchd.core.state.spending import Spent
from orchd.protocol import ids
from orchd.protocol.ids import AGENT, numbered

AgentId = NewType("AgentId", str)
RequestId = NewType("RequestId", str)
SIMULATED = "simulated"  # the source of a cost for which no service was used


class Status(Enum):
    """The status of an agent, in the words that users, JSON and the database see."""

    QUEUED = "queued"
    STARTING = "starting"
    RUNNING = "running"
    WAITING = "waiting"
    STOPPING = "stopping"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed-out"
    LOST = "lost"
    SKIPPED = "skipped"
    # looked up in sets and tables with every event; Enum's own hash is a Python function
    __hash__ = object.__hash__


WORKING = frozenset({Status.STARTING, Status.RUNNING, Status.STOPPING})
LIVING = WORKING | {Status.WAITING}
OVER = frozenset({Status.COMPLETED, Status.FAILED, Status.CANCELLED, Status.TIMED_OUT, Status.LOST, Status.SKIPPED})


class Level(Enum):
    """The kind of parent an agent has: a caller outside every agent, a composition's run, or another agent."""

    PM = "pm"
    COMPOSITE = "composite"
    SUB_SKILL = "sub-skill"


class StopReason(Enum):
    """Why an attempt is being stopped; it decides the agent's status once the process tree is gone."""

    ENDED = "ended"  # its own process ended and left others behind
    CANCELLED = "cancelled"
    TIMEOUT = "timeout"
    SILENCE = "silence"
    MEMORY = "memory"  # its tree took more than it may


class Frozen(Enum):
    """Why the processes of a waiting agent are kept from running until it has a slot."""

    WAIT_CUT = "wait-cut"  # the client of its wait ended, and no slot was free
    BUSY = "busy"  # it used the CPU while it counted as waiting, and no slot was free
    LENT = "lent"  # it lent its slot to an agent that it depends on
    PAUSED = "paused"  # it was paused, and its slot was released


class Condition(Enum):
    """How an agent must end for an agent that depends on it to start."""

    COMPLETED = "completed"
    ANY = "any"
    FAILED = "failed"  # by itself: cancelled and skipped agents have not failed

    @property
    def satisfied_by(self) -> frozenset[Status]:
        """The final statuses that satisfy the condition."""
        return _SATISFYING[self]


_SATISFYING = {
    Condition.COMPLETED: frozenset({Status.COMPLETED}),
    Condition.ANY: OVER,
    Condition.FAILED: frozenset({Status.FAILED, Status.TIMED_OUT, Status.LOST}),
}


class Oom(Enum):
    """Which memory limit was exceeded when the kernel killed processes of an attempt."""

    OWN = "own"  # its own bound
    MACHINE = "machine"  # that of the machine, or of something around it


class Instant(NamedTuple):
    """A moment on two clocks: `mono` is compared and never shown, `wall` is shown and never compared."""

    mono: float
    wall: float


@dataclass(frozen=True, slots=True)
class ProcessAttributes:
    """Attributes that an agent's process inherits besides its variables. None or empty: as the daemon's."""

    umask: int | None = None
    nice: int | None = None
    policy: str | None = None  # of the scheduler
    cpus: str | None = None  # as in `0-3,8`
    limits: tuple[tuple[str, int, int], ...] = ()  # name, soft, hard; -1 is none
    oom_score_adj: int | None = None


@dataclass(frozen=True, slots=True)
class Spec:
    """The request that an agent was spawned with. It never changes."""

    command: tuple[str, ...]
    name: str
    cwd: str
    environment: str  # the digest under which the shell keeps it: what is secret is not state
    goal: str | None = None
    skill: str | None = None
    task_id: str | None = None
    stdin: str | None = None
    output_dir: str | None = None
    runner: str | None = None  # None: the command is the agent itself
    model: str | None = None
    result: str | None = None
    worktree: bool = False
    base: str | None = None  # the commit that its worktree begins at
    tokens: int | None = None  # how many it was expected to take
    after: tuple[AgentId, ...] = ()
    conditions: tuple[tuple[AgentId, Condition], ...] = ()  # for agents in `after`; `completed` for all others
    priority: int = 0
    nesting: int = 0
    timeout: float | None = None
    silence: float | None = None
    grace: float = 10.0
    retries: int = 0
    memory_max: int | None = None  # bytes that its whole tree may take
    cpu_max: float | None = None  # processors that it may keep busy
    pids_max: int | None = None  # processes and threads that it may have
    variables: tuple[tuple[str, str], ...] = ()  # over its environment; kept for a retry, so no place for secrets
    member: Membership | None = None
    session: SessionId | None = None
    attributes: ProcessAttributes | None = None  # of the caller; None for a caller on another machine


@dataclass(frozen=True, slots=True)
class Wait:
    """An agent blocked in `wait`. It outlives the daemon: the caller sends the same request again."""

    request: RequestId
    targets: tuple[AgentId, ...]
    is_any: bool
    deadline: float | None
    caller: int  # the pid of the blocked client
    caller_started: float  # its start time: a pid alone names different processes over time
    is_expired: bool = False  # its deadline has passed; the reply is withheld until the agent has a slot
    is_background: bool = False  # the agent works beside it: it is answered as soon as it has ended


class Note(NamedTuple):
    """A remark about an attempt that is no failure: a code for scripts and a text for people."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Report:
    """The result of an attempt as its runner reported it."""

    reason: str | None = None  # why it did not complete
    spent: Spent = field(default_factory=Spent)
    cost_source: str | None = None  # who says what it cost: cli, estimated or simulated
    session_id: str | None = None  # the agent's own, by which its CLI resumes it
    model: str | None = None
    turns: int | None = None
    limited_until: float | None = None  # wall: the end of the rate limit with which its service refused it
    notes: tuple[Note, ...] = ()

    @property
    def is_simulated(self) -> bool:
        """Whether no service was used, so that nothing was spent."""
        return self.cost_source == SIMULATED


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt's own process ended. `code` is as a shell reports it; None when the exit was not seen."""

    code: int | None
    cpu_seconds: float = 0.0
    rss_bytes: int = 0
    report: Report | None = None
    oom: Oom | None = None
    memory_peak: int | None = None  # bytes, of an attempt with a memory limit, counted as for the limit
    escaped: tuple[str, ...] = ()  # processes that left its cgroup and were followed, as far as they were seen


@dataclass(slots=True)
class Agent:
    """The current state of an agent."""

    id: AgentId
    spec: Spec
    level: Level
    ancestors: tuple[AgentId, ...]  # root first, parent last
    claim: int  # how many levels of agents it may wait for, declared or promoted
    age: float  # when its root was queued: the whole tree grows old together
    parent_attempt: int = 0  # which attempt of its parent spawned it; 0 without a parent
    status: Status = Status.QUEUED
    attempt: int = 0
    has_started: bool = False  # an attempt was admitted since it was spawned or retried
    tries: int = 0  # attempts that ended badly; what `retries` is compared with
    rate_limits: int = 0  # attempts that its service turned away, since it was spawned or retried
    resumes: str | None = None  # the session of its CLI that its next attempt, or this one, goes on with
    limited_since: float | None = None  # wall, when the first of them ended
    pid: int | None = None
    cgroup: str | None = None
    unmet: str | None = None  # which of its attributes the attempt could not be given
    outcome: Outcome | None = None
    spent: Spent | None = None  # by all its attempts together
    cause: StopReason | None = None
    reason: str | None = None
    because: str = ""  # the agent whose end caused the end of this agent
    started: float | None = None  # mono
    heard: float | None = None  # mono, when it last was known to have put something out
    kill_at: float | None = None  # mono, when its grace period ends
    ready_at: float | None = None  # mono, when a retry may start
    queued_at: float | None = None  # wall
    started_at: float | None = None
    ended_at: float | None = None
    waits: dict[RequestId, Wait] = field(default_factory=dict)
    frozen: Frozen | None = None
    lent_to: AgentId | None = None  # the agent that runs in its slot
    is_paused: bool = False  # by a command: a queued agent does not start, and the tree of any other is frozen
    held_since: float | None = None  # mono; since then a slot is missing or it is paused, and no time-out counts

    @property
    def number(self) -> int:
        """The n of `agent-n`: ids are assigned in ascending order and never reused."""
        return number_of(self.id)

    @property
    def depth(self) -> int:
        """The number of its ancestors."""
        return len(self.ancestors)

    @property
    def parent(self) -> AgentId | None:
        """The agent that spawned it."""
        return self.ancestors[-1] if self.ancestors else None

    @property
    def root(self) -> AgentId:
        """The topmost agent of its tree."""
        return self.ancestors[0] if self.ancestors else self.id

    @property
    def is_over(self) -> bool:
        """Whether it has finished: its status changes only when a user retries it."""
        return self.status in OVER

    @property
    def is_suspended(self) -> bool:
        """Whether it is paused and has a process tree, which is frozen."""
        return self.is_paused and self.status is not Status.QUEUED

    @property
    def has_frozen_tree(self) -> bool:
        """Whether its process tree is frozen, for want of a slot or because it is paused."""
        return self.frozen is not None or self.is_suspended

    @property
    def shown_status(self) -> str:
        """Its status for people and scripts: `paused` instead of running or waiting while its tree is frozen."""
        return "paused" if self.is_suspended else self.status.value

    @property
    def blockers(self) -> tuple[AgentId, ...]:
        """The agents that must end before it starts; none once it has started, also when it is queued again.

        An agent in `after` may end, be retried and wait for this agent: a new dependency on it would be a deadlock.
        """
        return () if self.has_started and self.spec.conditions else self.spec.after


def agent_id(number: int) -> AgentId:
    """Return the id with this number: `agent-007`."""
    return AgentId(numbered(AGENT, number))


def number_of(agent: AgentId) -> int:
    """Return the number in an id: 7 for `agent-007`."""
    return ids.number_of(agent)
