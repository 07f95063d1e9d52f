"""The table: what may follow what, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import get_args

import pytest

from orchd.core.state import events
from orchd.core.state.agents import LIVING, OVER, Cause, Frozen, Level, Outcome, RequestId, Status, agent_id
from orchd.core.state.events import AgentFact, AgentQueued, AgentRevived
from orchd.core.state.transitions import NEXT, IllegalTransition, next_status
from tests.core.box import spec, wait_for

ONE = agent_id(1)
WAIT = wait_for(RequestId("r"), agent_id(2))
SAMPLES: tuple[AgentFact, ...] = (
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
    events.StopBegan(ONE, 1, Cause.CANCELLED, "why"),
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
PAIRS = [(status, fact) for status in (None, *Status) for fact in SAMPLES]
NEVER_HELD = {events.AttemptVoided, events.AgentFailed}  # there is no process: it was not made, or never ran


def named(pairs: Iterable[tuple[Status | None, AgentFact]]) -> list[object]:
    """Each pair as a parameter that says what it is."""
    return [
        pytest.param(status, fact, id=f"{status.value if status else 'nothing'}-{type(fact).__name__}")
        for status, fact in pairs
    ]


def test_there_is_a_sample_of_every_fact_about_an_agent() -> None:
    assert {type(fact) for fact in SAMPLES} == set(get_args(AgentFact))


@pytest.mark.parametrize(("status", "fact"), named(pair for pair in PAIRS if (pair[0], type(pair[1])) in NEXT))
def test_what_is_in_the_table_leads_where_it_says(status: Status | None, fact: AgentFact) -> None:
    assert next_status(status, fact) is NEXT[status, type(fact)]


@pytest.mark.parametrize(("status", "fact"), named(pair for pair in PAIRS if (pair[0], type(pair[1])) not in NEXT))
def test_what_is_not_in_the_table_cannot_have_happened(status: Status | None, fact: AgentFact) -> None:
    now = status.value if status else "not there"
    with pytest.raises(IllegalTransition, match=f"{type(fact).__name__} while {now}"):
        next_status(status, fact)


@pytest.mark.parametrize("status", sorted(OVER - {Status.COMPLETED}, key=str))
def test_only_a_person_leads_out_of_a_bad_end(status: Status) -> None:
    assert {fact for start, fact in NEXT if start is status} == {AgentRevived}


def test_nothing_leads_out_of_completed() -> None:
    assert not [fact for start, fact in NEXT if start is Status.COMPLETED]


def test_every_status_can_be_reached_and_every_unfinished_one_left() -> None:
    assert set(NEXT.values()) == set(Status)
    for status in set(Status) - OVER:
        assert {end for (start, _), end in NEXT.items() if start is status} - {status}


def test_an_agent_is_born_queued_and_in_no_other_way() -> None:
    assert {fact for start, fact in NEXT if start is None} == {AgentQueued}
    assert NEXT[None, AgentQueued] is Status.QUEUED


def test_a_place_is_given_back_only_while_stopping_or_when_there_was_no_process() -> None:
    for (start, fact), end in NEXT.items():
        if start in LIVING and end not in LIVING:
            assert start is Status.STOPPING or fact in NEVER_HELD, (start, fact, end)


def test_a_place_is_taken_only_by_admission() -> None:
    taken = {(start, fact) for (start, fact), end in NEXT.items() if start not in LIVING and end in LIVING}
    assert taken == {(Status.QUEUED, events.AttemptAdmitted)}
