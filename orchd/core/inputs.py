"""Inputs: requests of users and agents (imperative) and news of the outside world (participle)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from orchd.core.state.agents import AgentId, Outcome, ProcessAttributes, RequestId, Spec
from orchd.core.state.runs import RunId, RunPlan
from orchd.core.state.sessions import SessionId
from orchd.core.state.spending import Budget

Caller = AgentId | None  # None: a caller outside every agent


@dataclass(frozen=True, slots=True)
class Scope:
    """The session of agents that a user spawns: the session open in the directory, or a new one. Agents spawned by an
    agent belong to its session."""

    directory: str


@dataclass(frozen=True, slots=True)
class SpawnAgents:
    """Queue all of `specs` or none. Their `after` may name other agents of the same request."""

    request: RequestId
    caller: Caller
    specs: tuple[Spec, ...]
    must_start: bool = False
    kin: int = 0  # agents ever spawned inside the caller's tree, counted by the store
    scope: Scope | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """A member of a run to be created: its path, and the members of its own group that it comes after."""

    path: str
    spec: Spec
    after: tuple[str, ...] = ()
    is_required: bool = True


@dataclass(frozen=True, slots=True)
class BeginRun:
    """Queue all members of a composition or none."""

    request: RequestId
    caller: Caller
    plan: RunPlan
    parts: tuple[Part, ...]
    group_after: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # of nested groups, by their paths
    durations: Mapping[str, float] = field(default_factory=dict)  # by member, all in the same unit
    kin: int = 0
    scope: Scope | None = None
    budget: Budget = field(default_factory=Budget)


@dataclass(frozen=True, slots=True)
class BeginWait:
    """Block `agent` until its targets have ended. Sent again with the same request, it is the same wait."""

    request: RequestId
    agent: AgentId
    targets: tuple[AgentId, ...]
    is_any: bool
    timeout: float | None
    caller: int
    caller_started: float


@dataclass(frozen=True, slots=True)
class CallerGone:
    """The client that was blocked in this wait is dead, so the agent is not blocked any more."""

    agent: AgentId
    request: RequestId


@dataclass(frozen=True, slots=True)
class Cancel:
    """Cancel these agents and all their descendants."""

    request: RequestId
    ids: tuple[AgentId, ...]


@dataclass(frozen=True, slots=True)
class Retry:
    """Queue another attempt of each of these agents; all or none."""

    request: RequestId
    ids: tuple[AgentId, ...]
    environments: tuple[str, ...]  # of each
    attributes: ProcessAttributes | None = None  # None: the attributes that they had
    is_resumed: bool = False  # they go on with the sessions of their CLIs, as far as these are known


@dataclass(frozen=True, slots=True)
class Pause:
    """Stop admitting agents."""

    request: RequestId


@dataclass(frozen=True, slots=True)
class Resume:
    """Admit agents again."""

    request: RequestId


@dataclass(frozen=True, slots=True)
class PauseAgents:
    """Hold queued agents in the queue, and freeze the process trees of started ones; all or none."""

    request: RequestId
    ids: tuple[AgentId, ...]
    is_slot_released: bool = False


@dataclass(frozen=True, slots=True)
class ResumeAgents:
    """Let these agents start or continue; all or none."""

    request: RequestId
    ids: tuple[AgentId, ...]


@dataclass(frozen=True, slots=True)
class SetLimit:
    """Change either limit or both, by a command; or, not `by_command`, to the values of the configuration."""

    request: RequestId | None  # None: the configuration was read, and a command's numbers stay in force
    limit: int | None
    resident: int | None
    by_command: bool = True


@dataclass(frozen=True, slots=True)
class OpenSession:
    """Open a session in a directory; a session that is open there is closed."""

    request: RequestId
    scope: Scope
    name: str | None
    budget: Budget


@dataclass(frozen=True, slots=True)
class CloseSession:
    """Close a session: agents spawned in its directory from now on belong to a new one."""

    request: RequestId
    session: SessionId


@dataclass(frozen=True, slots=True)
class SetBudget:
    """Set the budget of a session or run."""

    request: RequestId
    target: SessionId | RunId
    budget: Budget


@dataclass(frozen=True, slots=True)
class Drain:
    """Admit only agents that running ones depend on; with `stop`, end the running ones too. The daemon may exit once
    none run."""

    request: RequestId
    stop: bool


@dataclass(frozen=True, slots=True)
class Spawned:
    """The attempt's process exists, behind its gate."""

    agent: AgentId
    attempt: int
    pid: int
    cgroup: str | None
    unmet: str | None = None  # which of the agent's attributes it could not be given


@dataclass(frozen=True, slots=True)
class SpawnFailed:
    """The process was not created. `is_passing`: the machine is at fault (no pids, no memory, no disk), not the
    agent."""

    agent: AgentId
    attempt: int
    reason: str
    is_passing: bool
    remedy: str = ""  # the next step for an operator; "" where none is known


@dataclass(frozen=True, slots=True)
class Exited:
    """The attempt's own process has ended. `is_tree_gone`: so has every other process of its tree."""

    agent: AgentId
    attempt: int
    outcome: Outcome
    is_tree_gone: bool
    note: str | None = None  # what is known of an end without an exit code


@dataclass(frozen=True, slots=True)
class NeverRan:
    """The attempt's record says that its gate never opened."""

    agent: AgentId
    attempt: int


@dataclass(frozen=True, slots=True)
class TreeGone:
    """No process of the attempt's tree is left."""

    agent: AgentId
    attempt: int


@dataclass(frozen=True, slots=True)
class Adopted:
    """The attempt still runs after a restart of the daemon."""

    agent: AgentId
    attempt: int


@dataclass(frozen=True, slots=True)
class OutputSeen:
    """How many seconds ago the attempt last wrote output."""

    agent: AgentId
    attempt: int
    ago: float


@dataclass(frozen=True, slots=True)
class OverMemory:
    """The attempt's tree uses more memory than its limit."""

    agent: AgentId
    attempt: int


@dataclass(frozen=True, slots=True)
class WorkedWhileWaiting:
    """The attempt's tree used the CPU although the agent counts as waiting."""

    agent: AgentId
    attempt: int


@dataclass(frozen=True, slots=True)
class StoodStill:
    """All attempts in a lent slot that have used no CPU and written no output for `stall_after` seconds."""

    attempts: frozenset[tuple[AgentId, int]]


@dataclass(frozen=True, slots=True)
class DiskSpaceChanged:
    """How many bytes are free on the disk of the home, and the configured minimum."""

    free: int
    floor: int


@dataclass(frozen=True, slots=True)
class Tick:
    """A deadline may have passed."""


@dataclass(frozen=True, slots=True)
class Admit:
    """The previous turn started as many agents as one turn may: start the next."""


AgentRequest = SpawnAgents | BeginRun | BeginWait | Cancel | Retry | PauseAgents | ResumeAgents
DaemonRequest = Pause | Resume | SetLimit | Drain | OpenSession | CloseSession | SetBudget
AttemptNews = (
    Spawned | SpawnFailed | Exited | NeverRan | TreeGone | Adopted | OutputSeen | OverMemory | WorkedWhileWaiting
)
DaemonNews = CallerGone | StoodStill | DiskSpaceChanged | Tick | Admit
Input = AgentRequest | DaemonRequest | AttemptNews | DaemonNews
