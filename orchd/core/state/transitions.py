"""The table of status transitions. Nothing else changes an agent's status; the diagram in docs/ is drawn from it.

Rule 1: a pair that is not in the table is a bug and never handled: the daemon exits rather than store an invalid state.

Rule 2: only a user's request leads out of a final status, and none leads out of `completed`.

Rule 3: a status that holds a slot changes to a status without one only by an event that says the process tree is gone
(or never existed).
"""

from __future__ import annotations

from orchd.core.state.agents import Status as S  # noqa: N817 - a table is read across
from orchd.core.state.events import (
    AgentCancelled,
    AgentCompleted,
    AgentEvent,
    AgentFailed,
    AgentFrozen,
    AgentHeard,
    AgentLost,
    AgentPaused,
    AgentPromoted,
    AgentQueued,
    AgentResumed,
    AgentReturned,
    AgentRevived,
    AgentSkipped,
    AgentThawed,
    AgentTimedOut,
    AttemptAdmitted,
    AttemptDeferred,
    AttemptRetried,
    AttemptStarted,
    AttemptVoided,
    KillBegan,
    ProcessEnded,
    SlotAwaited,
    StopBegan,
    WaitBegan,
    WaitEnded,
    WaitExpired,
    WaitReopened,
    WorkSeen,
)

NEXT: dict[tuple[S | None, type], S] = {
    (None, AgentQueued): S.QUEUED,
    (S.QUEUED, AttemptAdmitted): S.STARTING,
    (S.QUEUED, AgentCancelled): S.CANCELLED,
    (S.QUEUED, AgentSkipped): S.SKIPPED,
    (S.QUEUED, AgentPaused): S.QUEUED,
    (S.QUEUED, AgentResumed): S.QUEUED,
    (S.STARTING, AttemptStarted): S.RUNNING,
    (S.STARTING, AttemptVoided): S.QUEUED,
    (S.STARTING, AgentFailed): S.FAILED,
    (S.RUNNING, AttemptVoided): S.QUEUED,
    (S.RUNNING, AgentPromoted): S.RUNNING,
    (S.RUNNING, AgentHeard): S.RUNNING,
    (S.RUNNING, WaitBegan): S.WAITING,
    (S.RUNNING, WaitEnded): S.RUNNING,
    (S.RUNNING, AgentFrozen): S.WAITING,
    (S.RUNNING, AgentPaused): S.RUNNING,
    (S.RUNNING, AgentResumed): S.RUNNING,
    (S.RUNNING, StopBegan): S.STOPPING,
    (S.RUNNING, ProcessEnded): S.STOPPING,
    (S.WAITING, AgentPromoted): S.WAITING,
    (S.WAITING, WaitBegan): S.WAITING,
    (S.WAITING, WaitEnded): S.WAITING,
    (S.WAITING, WaitExpired): S.WAITING,
    (S.WAITING, SlotAwaited): S.WAITING,
    (S.WAITING, WaitReopened): S.WAITING,
    (S.WAITING, AgentFrozen): S.WAITING,
    (S.WAITING, AgentPaused): S.WAITING,
    (S.WAITING, AgentResumed): S.WAITING,
    (S.WAITING, AgentReturned): S.RUNNING,
    (S.WAITING, AgentThawed): S.RUNNING,
    (S.WAITING, WorkSeen): S.RUNNING,
    (S.WAITING, AttemptVoided): S.QUEUED,
    (S.WAITING, StopBegan): S.STOPPING,
    (S.WAITING, ProcessEnded): S.STOPPING,
    (S.STOPPING, StopBegan): S.STOPPING,
    (S.STOPPING, KillBegan): S.STOPPING,
    (S.STOPPING, ProcessEnded): S.STOPPING,
    (S.STOPPING, AttemptVoided): S.QUEUED,
    (S.STOPPING, AttemptRetried): S.QUEUED,
    (S.STOPPING, AttemptDeferred): S.QUEUED,
    (S.STOPPING, AgentCompleted): S.COMPLETED,
    (S.STOPPING, AgentFailed): S.FAILED,
    (S.STOPPING, AgentCancelled): S.CANCELLED,
    (S.STOPPING, AgentTimedOut): S.TIMED_OUT,
    (S.STOPPING, AgentLost): S.LOST,
    (S.FAILED, AgentRevived): S.QUEUED,
    (S.CANCELLED, AgentRevived): S.QUEUED,
    (S.TIMED_OUT, AgentRevived): S.QUEUED,
    (S.LOST, AgentRevived): S.QUEUED,
    (S.SKIPPED, AgentRevived): S.QUEUED,
}


class IllegalTransition(AssertionError):
    """An event that cannot have happened. It is a bug; it is never caught."""


def next_status(status: S | None, event: AgentEvent) -> S:
    """Return the status after `event`."""
    try:
        return NEXT[status, type(event)]
    except KeyError:
        now = "not there" if status is None else status.value
        raise IllegalTransition(f"{type(event).__name__} while {now}: {event}") from None
