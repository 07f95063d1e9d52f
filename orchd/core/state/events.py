"""Events: what happened, in the past tense. They are stored in order, and only `apply` interprets them.

`because` is the id of the agent whose end caused the event; "" where no other agent did.
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
    """The agent holds a slot; its process is about to be created."""

    agent: AgentId
    attempt: int


@dataclass(frozen=True, slots=True)
class AttemptStarted:
    """The supervising shell of the attempt exists; it starts the program when this event is on the disk."""

    agent: AgentId
    attempt: int
    pid: int
    cgroup: str | None = None
    unmet: str | None = None  # which of the agent's attributes it could not be given


@dataclass(frozen=True, slots=True)
class AttemptVoided:
    """The program of the attempt was never started: the agent is queued as before, and no retry is used."""

    agent: AgentId
    attempt: int
    reason: str
    hold: float = 0.0  # seconds for which no agent starts
    remedy: str = ""  # what would have the machine start a process, where that is known


@dataclass(frozen=True, slots=True)
class AgentPromoted:
    """The agent may now wait for `claim` levels of agents below it."""

    agent: AgentId
    claim: int


@dataclass(frozen=True, slots=True)
class WaitBegan:
    """The agent is blocked until others end, and gave its slot back."""

    agent: AgentId
    wait: Wait


@dataclass(frozen=True, slots=True)
class WaitEnded:
    """A wait of the agent has ended, and another wait of it has not: the agent keeps waiting."""

    agent: AgentId
    request: RequestId


@dataclass(frozen=True, slots=True)
class WaitExpired:
    """The timeout of a wait has elapsed: the reply is sent as soon as the agent has a slot."""

    agent: AgentId
    request: RequestId


@dataclass(frozen=True, slots=True)
class SlotAwaited:
    """The wait of the agent has ended and no slot is free: the reply is sent when the agent has a slot."""

    agent: AgentId


@dataclass(frozen=True, slots=True)
class WaitReopened:
    """An agent that a wait was for is retried before the reply was sent: the wait includes the new attempt."""

    agent: AgentId


@dataclass(frozen=True, slots=True)
class AgentReturned:
    """The last wait of the agent has ended, and the agent runs in a slot again."""

    agent: AgentId
    request: RequestId


@dataclass(frozen=True, slots=True)
class WorkSeen:
    """The agent used the CPU while it counted as waiting: it counts as running now, and its waits continue."""

    agent: AgentId


@dataclass(frozen=True, slots=True)
class AgentFrozen:
    """The processes of the agent are frozen until it has a slot again."""

    agent: AgentId
    attempt: int
    cause: Frozen
    request: RequestId | None = None  # the wait whose client ended
    lent_to: AgentId | None = None  # the agent that runs in its slot


@dataclass(frozen=True, slots=True)
class AgentThawed:
    """The agent has a slot again, and its processes are thawed."""

    agent: AgentId
    attempt: int


@dataclass(frozen=True, slots=True)
class AgentPaused:
    """The agent was paused: it does not start, or its process tree is frozen, until it is resumed."""

    agent: AgentId


@dataclass(frozen=True, slots=True)
class AgentResumed:
    """The agent is no longer paused. If it has no slot, it waits for a slot."""

    agent: AgentId


@dataclass(frozen=True, slots=True)
class AgentHeard:
    """The agent wrote output; recorded for the silence limit."""

    agent: AgentId
    attempt: int
    ago: float


@dataclass(frozen=True, slots=True)
class StopBegan:
    """The process tree of the agent is being terminated."""

    agent: AgentId
    attempt: int
    cause: StopReason
    reason: str
    because: str = ""


@dataclass(frozen=True, slots=True)
class KillBegan:
    """The grace period of the agent has passed and its process tree is being killed."""

    agent: AgentId
    attempt: int
    because: str = ""


@dataclass(frozen=True, slots=True)
class ProcessEnded:
    """The agent's own process has ended; the rest of its tree may still exist."""

    agent: AgentId
    attempt: int
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class AttemptRetried:
    """The attempt failed and the agent is queued for another one, after `delay` seconds."""

    agent: AgentId
    attempt: int
    reason: str
    delay: float
    seed: int


@dataclass(frozen=True, slots=True)
class AttemptDeferred:
    """The service rate-limited the attempt: the agent is queued again, and no retry is used."""

    agent: AgentId
    attempt: int
    reason: str


@dataclass(frozen=True, slots=True)
class AgentCompleted:
    """The agent exited with code 0 and its process tree is gone."""

    agent: AgentId


@dataclass(frozen=True, slots=True)
class AgentFailed:
    """The agent ended by itself with a failure, or could not be started."""

    agent: AgentId
    reason: str


@dataclass(frozen=True, slots=True)
class AgentCancelled:
    """The agent was cancelled, or its parent or its run ended without completing."""

    agent: AgentId
    reason: str
    because: str = ""


@dataclass(frozen=True, slots=True)
class AgentTimedOut:
    """The agent exceeded its timeout, or was silent for too long."""

    agent: AgentId
    reason: str


@dataclass(frozen=True, slots=True)
class AgentLost:
    """The agent has ended, and its exit code is unknown."""

    agent: AgentId
    reason: str


@dataclass(frozen=True, slots=True)
class AgentSkipped:
    """The agent can never start: an agent that it depends on did not end as required."""

    agent: AgentId
    reason: str
    because: str = ""


@dataclass(frozen=True, slots=True)
class AgentRevived:
    """The agent was retried with `retry`."""

    agent: AgentId
    environment: str
    attributes: ProcessAttributes | None = None  # None: as before
    is_resumed: bool = False  # it goes on with the last session of its CLI


@dataclass(frozen=True, slots=True)
class LimitChanged:
    """The number of slots, or of resident slots, has changed."""

    limit: int
    resident: int
    by_command: bool = True  # otherwise by the configuration, which changes them again when it is read


@dataclass(frozen=True, slots=True)
class AdmissionsPaused:
    """The daemon was paused: no new agents start."""


@dataclass(frozen=True, slots=True)
class AdmissionsResumed:
    """The daemon is no longer paused: agents start again."""


@dataclass(frozen=True, slots=True)
class DrainBegan:
    """The daemon drains: only agents on which running agents depend still start."""


@dataclass(frozen=True, slots=True)
class StallBegan:
    """Every agent at work depends on a queued agent, and no slot is free or can be lent; or agents in a lent slot have
    made no progress for `stall_after` seconds."""

    agents: tuple[AgentId, ...]  # the agents at work; or those without progress
    reason: str


@dataclass(frozen=True, slots=True)
class StallEnded:
    """The stall has ended: a slot is free, no agent depends on a queued agent, or all agents at work make progress."""


@dataclass(frozen=True, slots=True)
class RunnerLimited:
    """No agents start with this runner until the rate limit of its service has ended."""

    runner: str
    until: float  # wall
    reason: str = ""  # in the words of the service


@dataclass(frozen=True, slots=True)
class SessionOpened:
    """A session was opened; agents that are queued in its directory from now on belong to it."""

    session: SessionId
    directory: str
    name: str | None
    budget: Budget


@dataclass(frozen=True, slots=True)
class SessionClosed:
    """The session was closed; agents that are queued in its directory from now on belong to another session."""

    session: SessionId


@dataclass(frozen=True, slots=True)
class SessionBudgetChanged:
    """The budget of the session has changed."""

    session: SessionId
    budget: Budget


@dataclass(frozen=True, slots=True)
class RunBegan:
    """A run was started; its members are queued next."""

    run: RunId
    plan: RunPlan
    budget: Budget


@dataclass(frozen=True, slots=True)
class RunEnded:
    """All members of the run have ended."""

    run: RunId
    status: RunStatus
    reason: str | None = None
    because: str = ""


@dataclass(frozen=True, slots=True)
class RunResumed:
    """The run had ended, and members that did not complete are retried."""

    run: RunId


@dataclass(frozen=True, slots=True)
class RunBudgetChanged:
    """The budget of the run has changed."""

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
