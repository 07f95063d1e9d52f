"""`apply`: the only function that changes a state, live and on replay alike."""

from __future__ import annotations

from typing import Any

import pytest

from orchd.core.state import events
from orchd.core.state.agents import Agent, AgentId, Instant, Level, Outcome, RequestId, Status, StopReason, agent_id
from orchd.core.state.apply import apply
from orchd.core.state.indexes import indexes, recount
from orchd.core.state.state import State
from orchd.core.state.transitions import IllegalTransition
from tests.core.box import spec, wait_for

ONE = agent_id(1)
REQUEST = RequestId("r")


class Replay:
    """Events applied one after the other, a second apart."""

    def __init__(self, *changes: events.Event) -> None:
        self.state = State()
        self.now = 100.0
        self(*changes)

    def __call__(self, *changes: events.Event) -> Agent:
        for event in changes:
            self.now += 1
            apply(self.state, event, Instant(self.now, 5000 + self.now))
            assert recount(self.state) == indexes(self.state)
        return self.state.agents[ONE]


def queued(agent_id: AgentId = ONE, *ancestors: AgentId, **fields: Any) -> events.AgentQueued:
    """A new agent."""
    return events.AgentQueued(agent_id, spec(**fields), Level.PM, ancestors)


def running(**fields: Any) -> Replay:
    """One agent that has run since 103."""
    return Replay(queued(**fields), events.AttemptAdmitted(ONE, 1), events.AttemptStarted(ONE, 1, 77, "/cgroup"))


def test_a_new_agent_is_queued_with_the_claim_it_declared() -> None:
    replay = Replay(queued(nesting=2))
    agent = replay.state.agents[ONE]
    assert (agent.status, agent.claim, agent.age, agent.queued_at) == (Status.QUEUED, 2, 101.0, 5101.0)
    assert replay.state.last_number == 1


def test_a_child_is_as_old_as_its_tree() -> None:
    replay = Replay(queued(), queued(agent_id(2), ONE))
    assert replay.state.agents[agent_id(2)].age == 101.0


def test_a_child_of_a_forgotten_root_has_its_own_age() -> None:
    replay = Replay(queued(), queued(agent_id(3), agent_id(99)))
    assert replay.state.agents[agent_id(3)].age == 102.0


def test_no_id_is_given_out_twice_and_the_last_number_never_falls() -> None:
    replay = Replay(queued(agent_id(5)), queued())
    assert replay.state.last_number == 5
    with pytest.raises(AssertionError, match="given out twice"):
        replay(queued())


def test_an_illegal_event_changes_nothing() -> None:
    replay = Replay(queued())
    with pytest.raises(IllegalTransition):
        apply(replay.state, events.AgentCompleted(ONE), Instant(0.0, 0.0))
    assert replay.state.agents[ONE].status is Status.QUEUED
    assert recount(replay.state) == indexes(replay.state)


def test_an_admitted_attempt_clears_the_fields_of_the_previous_attempt() -> None:
    replay = running(retries=1)
    replay(events.ProcessEnded(ONE, 1, Outcome(1)), events.AttemptRetried(ONE, 1, "exit code 1", 2.0, 9))
    agent = replay(events.AttemptAdmitted(ONE, 2))
    assert agent.attempt == 2
    assert agent.started == agent.heard == replay.now
    assert agent.started_at == 5000 + replay.now
    assert (agent.pid, agent.cgroup, agent.outcome, agent.cause) == (None,) * 4
    assert (agent.kill_at, agent.ready_at, agent.reason, agent.ended_at) == (None,) * 4


def test_a_started_attempt_has_its_process() -> None:
    agent = running()()
    assert (agent.status, agent.pid, agent.cgroup) == (Status.RUNNING, 77, "/cgroup")


def test_an_attempt_that_never_ran_costs_nothing_but_its_number() -> None:
    replay = Replay(queued(nesting=1), events.AttemptAdmitted(ONE, 1))
    agent = replay(events.AttemptVoided(ONE, 1, "no pids", hold=2.0))
    assert (agent.status, agent.attempt, agent.tries) == (Status.QUEUED, 1, 0)
    assert (agent.started, agent.reason) == (None, "no pids")
    assert replay.state.spawn_backoff_until == replay.now + 2.0


def test_an_attempt_voided_without_a_hold_delays_no_other_agent() -> None:
    replay = running()
    replay(events.AttemptVoided(ONE, 1, "gate"))
    assert replay.state.spawn_backoff_until == 0.0


def test_a_wait_lasts_until_its_end_and_restarts_the_silence_clock() -> None:
    replay = running()
    other = RequestId("other")
    agent = replay(events.AgentPromoted(ONE, 3), events.WaitBegan(ONE, wait_for(REQUEST)))
    replay(events.WaitBegan(ONE, wait_for(other)))
    assert (agent.status, agent.claim, list(agent.waits)) == (Status.WAITING, 3, [REQUEST, other])
    replay(events.WaitEnded(ONE, REQUEST))
    assert (agent.status, list(agent.waits), agent.heard) == (Status.WAITING, [other], replay.now)
    replay(events.AgentReturned(ONE, other))
    assert (agent.status, agent.waits, agent.heard) == (Status.RUNNING, {}, replay.now)


def test_an_output_event_records_when_the_output_came() -> None:
    replay = running()
    assert replay(events.AgentHeard(ONE, 1, 0.25)).heard == replay.now - 0.25


def test_a_stop_gives_grace_and_ends_all_waits() -> None:
    replay = running(grace=4.0)
    replay(events.WaitBegan(ONE, wait_for(REQUEST)))
    agent = replay(events.StopBegan(ONE, 1, StopReason.TIMEOUT, "too long"))
    assert (agent.status, agent.cause, agent.reason, agent.waits) == (
        Status.STOPPING,
        StopReason.TIMEOUT,
        "too long",
        {},
    )
    assert agent.kill_at == replay.now + 4.0


def test_another_cause_does_not_lengthen_the_grace() -> None:
    replay = running(grace=4.0)
    first = replay(events.StopBegan(ONE, 1, StopReason.TIMEOUT, "too long")).kill_at
    agent = replay(events.StopBegan(ONE, 1, StopReason.CANCELLED, "cancelled"))
    assert (agent.cause, agent.kill_at) == (StopReason.CANCELLED, first)


def test_a_kill_is_not_due_again() -> None:
    replay = running()
    assert replay(events.StopBegan(ONE, 1, StopReason.CANCELLED, "why"), events.KillBegan(ONE, 1)).kill_at is None


def test_a_process_that_ended_gives_the_rest_of_its_tree_the_grace() -> None:
    replay = running(grace=3.0)
    replay(events.WaitBegan(ONE, wait_for(REQUEST)))
    agent = replay(events.ProcessEnded(ONE, 1, Outcome(0)))
    assert (agent.status, agent.cause, agent.waits) == (Status.STOPPING, StopReason.ENDED, {})
    assert (agent.outcome, agent.kill_at) == (Outcome(0), replay.now + 3.0)


def test_a_process_that_was_stopped_ended_for_that_cause() -> None:
    replay = running(grace=3.0)
    until = replay(events.StopBegan(ONE, 1, StopReason.SILENCE, "silent")).kill_at
    agent = replay(events.ProcessEnded(ONE, 1, Outcome(143)))
    assert (agent.cause, agent.kill_at) == (StopReason.SILENCE, until)


def test_a_retry_counts_the_try_sets_its_delay_and_advances_the_seed() -> None:
    replay = running(nesting=1, retries=1)
    replay(events.AgentPromoted(ONE, 4), events.ProcessEnded(ONE, 1, Outcome(1)))
    agent = replay(events.AttemptRetried(ONE, 1, "exit code 1", delay=2.5, seed=9))
    assert (agent.status, agent.tries, agent.claim, agent.ready_at) == (Status.QUEUED, 1, 1, replay.now + 2.5)
    assert (agent.pid, agent.started, agent.heard) == (None,) * 3
    assert agent.started_at is not None  # when its last attempt began, until the next one does
    assert (agent.ended_at, agent.reason, replay.state.seed) == (5000 + replay.now, "exit code 1", 9)


def test_a_completed_agent_has_no_reason_and_frees_its_dependents() -> None:
    replay = running()
    replay(queued(agent_id(2), after=(ONE,)), events.ProcessEnded(ONE, 1, Outcome(0)))
    assert len(replay.state.queue) == 0
    agent = replay(events.AgentCompleted(ONE))
    assert (agent.status, agent.reason, agent.pid, agent.kill_at) == (Status.COMPLETED, None, None, None)
    assert agent.ended_at == 5000 + replay.now
    assert len(replay.state.queue) == 1


@pytest.mark.parametrize(
    ("event", "status"),
    [
        (events.AgentFailed(ONE, "why"), Status.FAILED),
        (events.AgentCancelled(ONE, "why"), Status.CANCELLED),
        (events.AgentTimedOut(ONE, "why"), Status.TIMED_OUT),
        (events.AgentLost(ONE, "why"), Status.LOST),
    ],
)
def test_an_unsuccessful_end_records_its_reason(event: events.AgentEvent, status: Status) -> None:
    replay = running()
    agent = replay(events.ProcessEnded(ONE, 1, Outcome(1)), event)
    assert (agent.status, agent.reason, agent.pid) == (status, "why", None)


def test_a_skipped_agent_records_its_reason() -> None:
    agent = Replay(queued())(events.AgentSkipped(ONE, "why"))
    assert (agent.status, agent.reason) == (Status.SKIPPED, "why")


def test_a_revived_agent_begins_anew_with_another_environment_and_its_own_claim() -> None:
    replay = running(nesting=1, environment="old")
    replay(
        events.AgentPromoted(ONE, 5), events.ProcessEnded(ONE, 1, Outcome(1)), events.AgentFailed(ONE, "exit code 1")
    )
    agent = replay(events.AgentRevived(ONE, "new"))
    assert (agent.status, agent.attempt, agent.tries, agent.claim) == (Status.QUEUED, 1, 0, 1)
    assert (agent.spec.environment, agent.age, agent.queued_at) == ("new", replay.now, 5000 + replay.now)
    assert (agent.reason, agent.outcome, agent.cause, agent.ended_at, agent.started) == (None,) * 5
    assert replay.state.environments == {"new": 1}


def test_host_events_change_the_limits_the_pause_and_draining() -> None:
    replay = Replay(queued())
    replay(events.LimitChanged(3, 9), events.AdmissionsPaused())
    assert (replay.state.limit, replay.state.resident, replay.state.is_paused) == (3, 9, True)
    replay(events.AdmissionsResumed(), events.DrainBegan())
    assert (replay.state.is_paused, replay.state.is_draining) == (False, True)
