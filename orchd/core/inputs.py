"""Inputs: what people and agents ask (imperative) and what the world tells (participle). They decide nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from orchd.core.state.agents import AgentId, Outcome, ProcessAttributes, RequestId, Spec
from orchd.core.state.runs import RunId, RunPlan
from orchd.core.state.sessions import SessionId
from orchd.core.state.spending import Budget

Caller = AgentId | None  # None: somebody outside every agent


@dataclass(frozen=True, slots=True)
class Scope:
    """Where agents of a person belong: the session that is open in the directory, in memory if there is one, or a new
    one. Those of an agent belong to its own."""

    directory: str


@dataclass(frozen=True, slots=True)
class SpawnAgents:
    """Queue all of `specs` or none. Their `after` may name others of the same request."""

    request: RequestId
    caller: Caller
    specs: tuple[Spec, ...]
    must_start: bool = False
    kin: int = 0  # agents ever spawned inside the caller's tree, counted by the store
    scope: Scope | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """A member of a run that is to be: where it stands, and what it comes after in its own group."""

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
    durations: Mapping[str, float] = field(default_factory=dict)  # by member, in one unit
    kin: int = 0
    scope: Scope | None = None
    budget: Budget = field(default_factory=Budget)


@dataclass(frozen=True, slots=True)
class BeginWait:
    """`agent` blocks until its targets have ended. Sent again with the same request, it is the same wait."""

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
    """End these agents and all under them."""

    request: RequestId
    ids: tuple[AgentId, ...]


@dataclass(frozen=True, slots=True)
class Retry:
    """Another attempt for each of these; all or none."""

    request: RequestId
    ids: tuple[AgentId, ...]
    environments: tuple[str, ...]  # of each
    attributes: ProcessAttributes | None = None  # None: those that they had
    is_resumed: bool = False  # they go on with the sessions of their CLIs, as far as these are known


@dataclass(frozen=True, slots=True)
class Pause:
    """Admit nobody."""

    request: RequestId


@dataclass(frozen=True, slots=True)
class Resume:
    """Admit again."""

    request: RequestId


@dataclass(frozen=True, slots=True)
class PauseAgents:
    """Start none of these agents, and freeze the process trees of those that have started; all or none."""

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
    """Change either number or both, by a command; or, not `by_command`, to what the configuration contains."""

    request: RequestId | None  # None: the configuration was read, and a command's numbers stay in force
    limit: int | None
    resident: int | None
    by_command: bool = True


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A new session in a directory; one that is open there is closed."""

    request: RequestId
    scope: Scope
    name: str | None
    budget: Budget


@dataclass(frozen=True, slots=True)
class CloseSession:
    """What is spawned in its directory from now on belongs to a new one."""

    request: RequestId
    session: SessionId


@dataclass(frozen=True, slots=True)
class SetBudget:
    """How much a session or a run may cost."""

    request: RequestId
    target: SessionId | RunId
    budget: Budget


@dataclass(frozen=True, slots=True)
class Drain:
    """Admit only what the living need; with `stop`, end the living too. When nobody lives the daemon may leave."""

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
    """It does not. `is_passing`: the machine is at fault (no pids, no memory, no disk), not the agent."""

    agent: AgentId
    attempt: int
    reason: str
    is_passing: bool
    remedy: str = ""  # what would change it; nothing where that is not known


@dataclass(frozen=True, slots=True)
class Exited:
    """The attempt's own process has ended. `is_tree_gone`: and nothing of it is left."""

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
    """Nothing of the attempt's process tree is left."""

    agent: AgentId
    attempt: int


@dataclass(frozen=True, slots=True)
class Adopted:
    """After a restart: the attempt still runs."""

    agent: AgentId
    attempt: int


@dataclass(frozen=True, slots=True)
class OutputSeen:
    """When the attempt last put something out, in seconds ago."""

    agent: AgentId
    attempt: int
    ago: float


@dataclass(frozen=True, slots=True)
class OverMemory:
    """The attempt's tree takes more memory than it may."""

    agent: AgentId
    attempt: int


@dataclass(frozen=True, slots=True)
class WorkedWhileWaiting:
    """The attempt's tree used the CPU although the agent counts as waiting."""

    agent: AgentId
    attempt: int


@dataclass(frozen=True, slots=True)
class StoodStill:
    """All attempts in a lent slot that have used no CPU and put nothing out for `stall_after` seconds."""

    attempts: frozenset[tuple[AgentId, int]]


@dataclass(frozen=True, slots=True)
class DiskSpaceChanged:
    """How many bytes are free on the disk of the home, and how many there shall be."""

    free: int
    floor: int


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed; a deadline may be over."""


@dataclass(frozen=True, slots=True)
class Admit:
    """The turn before this one started as many agents as one turn may: start the next."""


Input = (
    SpawnAgents
    | BeginRun
    | BeginWait
    | CallerGone
    | Cancel
    | Retry
    | Pause
    | Resume
    | PauseAgents
    | ResumeAgents
    | SetLimit
    | OpenSession
    | CloseSession
    | SetBudget
    | Drain
    | Spawned
    | SpawnFailed
    | Exited
    | NeverRan
    | TreeGone
    | Adopted
    | OutputSeen
    | OverMemory
    | WorkedWhileWaiting
    | StoodStill
    | DiskSpaceChanged
    | Tick
    | Admit
)
