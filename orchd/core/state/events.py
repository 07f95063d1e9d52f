"""Events: what happened, in the past tense. They are remembered, in this order, and `apply` alone understands them.

`because` is the id of the agent whose end caused this; "" where no other agent did.
"""

from __future__ import annotations

from dataclasses import dataclass

from orchd.core.state.agents import (
    AgentId,
    Frozen,
    Level,
    Outcome,
    ProcessAttributes,
    RequestId,
    Spec,
    StopReason,
    Wait,
)
from orchd.core.state.runs import RunId, RunPlan, RunStatus
from orchd.core.state.sessions import SessionId
from orchd.core.state.spending import Budget


@dataclass(frozen=True, slots=True)
class AgentQueued:
    """A new agent exists and waits for its slot."""

    agent: AgentId
    spec: Spec
    level: Level
    ancestors: tuple[AgentId, ...]
    parent_attempt: int = 0  # which attempt of its parent spawned it


@dataclass(frozen=True, slots=True)
class AttemptAdmitted:
    """It holds a slot; its process is about to exist."""

    agent: AgentId
    attempt: int


@dataclass(frozen=True, slots=True)
class AttemptStarted:
    """Its process exists, behind the gate."""

    agent: AgentId
    attempt: int
    pid: int
    cgroup: str | None = None
    unmet: str | None = None  # which of the agent's attributes it could not be given


@dataclass(frozen=True, slots=True)
class AttemptVoided:
    """It never ran: nothing was done and nothing was paid, so the agent is queued as before."""

    agent: AgentId
    attempt: int
    reason: str
    hold: float = 0.0  # seconds for which the machine should not be asked again, for anyone
    remedy: str = ""  # what would have the machine start a process, where that is known


@dataclass(frozen=True, slots=True)
class AgentPromoted:
    """It may now wait for `claim` levels of agents."""

    agent: AgentId
    claim: int


@dataclass(frozen=True, slots=True)
class WaitBegan:
    """It is blocked until others end, and gave its slot back."""

    agent: AgentId
    wait: Wait


@dataclass(frozen=True, slots=True)
class WaitEnded:
    """One of its waits is over, and others are not: it goes on waiting."""

    agent: AgentId
    request: RequestId


@dataclass(frozen=True, slots=True)
class WaitExpired:
    """The deadline of one of its waits has passed: the reply is due as soon as it has a slot."""

    agent: AgentId
    request: RequestId


@dataclass(frozen=True, slots=True)
class SlotAwaited:
    """Its wait is over and no slot is free: the reply is withheld until one is."""

    agent: AgentId


@dataclass(frozen=True, slots=True)
class WaitReopened:
    """What its withheld wait was for is tried again: it waits for that, and not only for a slot."""

    agent: AgentId


@dataclass(frozen=True, slots=True)
class AgentReturned:
    """Its last wait is over and it works again."""

    agent: AgentId
    request: RequestId


@dataclass(frozen=True, slots=True)
class WorkSeen:
    """It used the CPU while it counted as waiting: it works from now on, and its waits go on beside that."""

    agent: AgentId


@dataclass(frozen=True, slots=True)
class AgentFrozen:
    """Its processes are kept from running until it has a slot again."""

    agent: AgentId
    attempt: int
    cause: Frozen
    request: RequestId | None = None  # the wait whose client ended
    lent_to: AgentId | None = None  # the agent that runs in its slot


@dataclass(frozen=True, slots=True)
class AgentThawed:
    """It has a slot again, and its processes run on."""

    agent: AgentId
    attempt: int


@dataclass(frozen=True, slots=True)
class AgentPaused:
    """It does not start, or its process tree is frozen, until it is resumed."""

    agent: AgentId


@dataclass(frozen=True, slots=True)
class AgentResumed:
    """It is paused no longer. Without a slot it waits for one."""

    agent: AgentId


@dataclass(frozen=True, slots=True)
class AgentHeard:
    """It put something out, or was seen not to be silent."""

    agent: AgentId
    attempt: int
    ago: float


@dataclass(frozen=True, slots=True)
class StopBegan:
    """Its process tree is being ended."""

    agent: AgentId
    attempt: int
    cause: StopReason
    reason: str
    because: str = ""


@dataclass(frozen=True, slots=True)
class KillBegan:
    """Its grace is over and it is being killed."""

    agent: AgentId
    attempt: int
    because: str = ""


@dataclass(frozen=True, slots=True)
class ProcessEnded:
    """Its own process has ended; the rest of its tree may still be there."""

    agent: AgentId
    attempt: int
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class AttemptRetried:
    """It ended badly and will be tried again after `delay` seconds."""

    agent: AgentId
    attempt: int
    reason: str
    delay: float
    seed: int


@dataclass(frozen=True, slots=True)
class AttemptDeferred:
    """Its service turned it away for being asked too often: no fault of the agent's, which is queued again."""

    agent: AgentId
    attempt: int
    reason: str


@dataclass(frozen=True, slots=True)
class AgentCompleted:
    """Exit code 0 and nothing left of it."""

    agent: AgentId


@dataclass(frozen=True, slots=True)
class AgentFailed:
    """It ended by itself and badly, or could not be started."""

    agent: AgentId
    reason: str


@dataclass(frozen=True, slots=True)
class AgentCancelled:
    """Somebody ended it, or what it belonged to."""

    agent: AgentId
    reason: str
    because: str = ""


@dataclass(frozen=True, slots=True)
class AgentTimedOut:
    """It took too long, or was silent for too long."""

    agent: AgentId
    reason: str


@dataclass(frozen=True, slots=True)
class AgentLost:
    """It ended and nobody can know how."""

    agent: AgentId
    reason: str


@dataclass(frozen=True, slots=True)
class AgentSkipped:
    """It can never start: what it was to come after did not complete."""

    agent: AgentId
    reason: str
    because: str = ""


@dataclass(frozen=True, slots=True)
class AgentRevived:
    """A person asked for another attempt."""

    agent: AgentId
    environment: str
    attributes: ProcessAttributes | None = None  # None: as before
    is_resumed: bool = False  # it goes on with the last session of its CLI


@dataclass(frozen=True, slots=True)
class LimitChanged:
    """The two numbers of the limit."""

    limit: int
    resident: int
    by_command: bool = True  # otherwise by the configuration, which changes them again when it is read


@dataclass(frozen=True, slots=True)
class AdmissionsPaused:
    """Nobody new starts."""


@dataclass(frozen=True, slots=True)
class AdmissionsResumed:
    """Those who fit start again."""


@dataclass(frozen=True, slots=True)
class DrainBegan:
    """This daemon is on its way out: only what the living need still starts."""


@dataclass(frozen=True, slots=True)
class StallBegan:
    """Every agent at work depends on an agent that no slot is free for, and no slot can be lent safely; or agents that
    run in a lent slot have made no progress for `stall_after` seconds."""

    agents: tuple[AgentId, ...]  # the agents at work; or those without progress
    reason: str


@dataclass(frozen=True, slots=True)
class StallEnded:
    """A slot is free again, an agent at work depends on no queued agent any more, or none stands still any more."""


@dataclass(frozen=True, slots=True)
class RunnerLimited:
    """Nobody new starts with this runner for a while: its service wants no more."""

    runner: str
    until: float  # wall
    reason: str = ""  # in the words of the service


@dataclass(frozen=True, slots=True)
class SessionOpened:
    """A session exists; agents that are queued in its directory from now on belong to it."""

    session: SessionId
    directory: str
    name: str | None
    budget: Budget


@dataclass(frozen=True, slots=True)
class SessionClosed:
    """What is queued in its directory from now on belongs to another one."""

    session: SessionId


@dataclass(frozen=True, slots=True)
class SessionBudgetChanged:
    """How much it may cost."""

    session: SessionId
    budget: Budget


@dataclass(frozen=True, slots=True)
class RunBegan:
    """A run exists; its members are queued next."""

    run: RunId
    plan: RunPlan
    budget: Budget


@dataclass(frozen=True, slots=True)
class RunEnded:
    """All its members are over."""

    run: RunId
    status: RunStatus
    reason: str | None = None
    because: str = ""


@dataclass(frozen=True, slots=True)
class RunResumed:
    """It was over, and somebody wants another attempt for what did not complete."""

    run: RunId


@dataclass(frozen=True, slots=True)
class RunBudgetChanged:
    """How much it may cost."""

    run: RunId
    budget: Budget


AgentEvent = (
    AgentQueued
    | AttemptAdmitted
    | AttemptStarted
    | AttemptVoided
    | AgentPromoted
    | WaitBegan
    | WaitEnded
    | WaitExpired
    | SlotAwaited
    | WaitReopened
    | AgentReturned
    | WorkSeen
    | AgentFrozen
    | AgentThawed
    | AgentPaused
    | AgentResumed
    | AgentHeard
    | StopBegan
    | KillBegan
    | ProcessEnded
    | AttemptRetried
    | AttemptDeferred
    | AgentCompleted
    | AgentFailed
    | AgentCancelled
    | AgentTimedOut
    | AgentLost
    | AgentSkipped
    | AgentRevived
)
HostEvent = LimitChanged | AdmissionsPaused | AdmissionsResumed | DrainBegan | RunnerLimited | StallBegan | StallEnded
SessionEvent = SessionOpened | SessionClosed | SessionBudgetChanged
RunEvent = RunBegan | RunEnded | RunResumed | RunBudgetChanged
Event = AgentEvent | HostEvent | RunEvent | SessionEvent
