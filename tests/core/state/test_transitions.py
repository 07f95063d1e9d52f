"""The table: what may follow what, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import get_args

import pytest

from orchd.core.state import events
from orchd.core.state.agents import LIVING, OVER, Frozen, Level, Outcome, RequestId, Status, StopReason, agent_id
from orchd.core.state.events import AgentEvent, AgentQueued, AgentRevived
from orchd.core.state.transitions import NEXT, IllegalTransition, next_status
from tests.core.box import spec, wait_for

ONE = agent_id(1)
WAIT = wait_for(RequestId("r"), agent_id(2))
SAMPLES: tuple[AgentEvent, ...] = (
    events.AgentQueued(ONE, spec(), Level.PM, ()),
    events.AttemptAdmitted(ONE, 1),
    events.AttemptStarted(ONE, 1, 100),
    events.AttemptVoided(ONE, 1, "why"),
    events.AgentPromoted(ONE, 1),
    events.WaitBegan(ONE, WAIT),
    events.WaitEnded(ONE, WAIT.request),
    events.AgentReturned(ONE, WAIT.request),
    events.WaitExpired(ONE, WAIT.request),
    events.SlotAwaited(ONE),
    events.WaitReopened(ONE),
    events.WorkSeen(ONE),
    events.AgentFrozen(ONE, 1, Frozen.BUSY),
    events.AgentThawed(ONE, 1),
    events.AgentPaused(ONE),
    events.AgentResumed(ONE),
    events.AgentHeard(ONE, 1, 0.0),
    events.StopBegan(ONE, 1, StopReason.CANCELLED, "why"),
    events.KillBegan(ONE, 1),
    events.ProcessEnded(ONE, 1, Outcome(0)),
    events.AttemptRetried(ONE, 1, "why", 1.0, 2),
    events.AttemptDeferred(ONE, 1, "rate-limited"),
    events.AgentCompleted(ONE),
    events.AgentFailed(ONE, "why"),
    events.AgentCancelled(ONE, "why"),
    events.AgentTimedOut(ONE, "why"),
    events.AgentLost(ONE, "why"),
    events.AgentSkipped(ONE, "why"),
    events.AgentRevived(ONE, "e"),
)
PAIRS = [(status, event) for status in (None, *Status) for event in SAMPLES]
NEVER_HELD = {events.AttemptVoided, events.AgentFailed}  # there is no process: it was not made, or never ran


def named(pairs: Iterable[tuple[Status | None, AgentEvent]]) -> list[object]:
    """Each pair as a parameter that says what it is."""
    return [
        pytest.param(status, event, id=f"{status.value if status else 'nothing'}-{type(event).__name__}")
        for status, event in pairs
    ]


def test_there_is_a_sample_of_every_event_about_an_agent() -> None:
    assert {type(event) for event in SAMPLES} == set(get_args(AgentEvent))


@pytest.mark.parametrize(("status", "event"), named(pair for pair in PAIRS if (pair[0], type(pair[1])) in NEXT))
def test_a_listed_transition_yields_the_status_of_the_table(status: Status | None, event: AgentEvent) -> None:
    assert next_status(status, event) is NEXT[status, type(event)]


@pytest.mark.parametrize(("status", "event"), named(pair for pair in PAIRS if (pair[0], type(pair[1])) not in NEXT))
def test_an_unlisted_transition_is_illegal(status: Status | None, event: AgentEvent) -> None:
    now = status.value if status else "not there"
    with pytest.raises(IllegalTransition, match=f"{type(event).__name__} while {now}"):
        next_status(status, event)


@pytest.mark.parametrize("status", sorted(OVER - {Status.COMPLETED}, key=str))
def test_only_a_revival_leaves_an_unsuccessful_final_status(status: Status) -> None:
    assert {event for start, event in NEXT if start is status} == {AgentRevived}


def test_no_event_leaves_the_completed_status() -> None:
    assert not [event for start, event in NEXT if start is Status.COMPLETED]


def test_every_status_is_reachable_and_every_unfinished_status_can_be_left() -> None:
    assert set(NEXT.values()) == set(Status)
    for status in set(Status) - OVER:
        assert {end for (start, _), end in NEXT.items() if start is status} - {status}


def test_a_new_agent_is_always_queued() -> None:
    assert {event for start, event in NEXT if start is None} == {AgentQueued}
    assert NEXT[None, AgentQueued] is Status.QUEUED


def test_a_slot_is_released_only_while_stopping_or_without_a_process() -> None:
    for (start, event), end in NEXT.items():
        if start in LIVING and end not in LIVING:
            assert start is Status.STOPPING or event in NEVER_HELD, (start, event, end)


def test_a_slot_is_taken_only_by_admission() -> None:
    taken = {(start, event) for (start, event), end in NEXT.items() if start not in LIVING and end in LIVING}
    assert taken == {(Status.QUEUED, events.AttemptAdmitted)}
