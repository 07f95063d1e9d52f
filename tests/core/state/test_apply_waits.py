"""What waits, withheld replies and freezing change about an agent."""

from __future__ import annotations

import pytest

from orchd.core.state import events
from orchd.core.state.agents import Agent, Frozen, Instant, RequestId, Status, agent_id
from orchd.core.state.apply import apply
from orchd.core.state.state import State
from tests.core.box import Box, wait_for

FIRST, SECOND = RequestId("first"), RequestId("second")
LATER = Instant(1100.0, 1100.0)


def waiting() -> tuple[State, Agent]:
    """An agent that is blocked in two waits since 1000, and began at 1000."""
    box = Box(limit=3)
    parent, target = box.spawn("parent"), box.spawn("target")
    for request in (FIRST, SECOND):
        apply(box.state, events.WaitBegan(parent, wait_for(request, target, deadline=1050.0)), Instant(1000.0, 1000.0))
    return box.state, box.agent(parent)


def test_a_wait_that_expired_is_marked_and_has_no_deadline_any_more() -> None:
    state, agent = waiting()
    apply(state, events.WaitExpired(agent.id, FIRST), LATER)
    assert [wait.is_expired for wait in agent.waits.values()] == [True, False]
    apply(state, events.WaitExpired(agent.id, SECOND), LATER)
    assert state.expiring == {}
    assert set(state.due) == {agent.id}


def test_freezing_ends_the_wait_of_a_dead_client_and_backgrounds_the_rest() -> None:
    state, agent = waiting()
    apply(state, events.AgentFrozen(agent.id, 1, Frozen.WAIT_CUT, request=FIRST), LATER)
    assert [(wait.request, wait.is_background) for wait in agent.waits.values()] == [(SECOND, True)]
    assert (agent.status, agent.frozen, agent.held_since) == (Status.WAITING, Frozen.WAIT_CUT, 1100.0)


@pytest.mark.parametrize("cause", Frozen)
def test_thawing_shifts_the_clocks_and_may_let_a_new_agent_go_first(
    cause: Frozen,
) -> None:
    state, agent = waiting()
    apply(state, events.AgentFrozen(agent.id, 1, cause), LATER)
    apply(state, events.AgentThawed(agent.id, 1), Instant(1130.0, 1130.0))
    assert (agent.started, agent.heard, agent.frozen, agent.held_since) == (1030.0, 1130.0, None, None)
    assert state.is_new_next == (cause in {Frozen.WAIT_CUT, Frozen.BUSY})


def test_a_new_wait_of_a_frozen_agent_unfreezes_it() -> None:
    state, agent = waiting()
    apply(state, events.AgentFrozen(agent.id, 1, Frozen.LENT, lent_to=agent_id(2)), LATER)
    apply(state, events.WaitBegan(agent.id, wait_for(RequestId("third"), agent_id(2))), LATER)
    assert (agent.frozen, agent.lent_to, agent.held_since) == (None, None, None)
    assert [wait.is_background for wait in agent.waits.values()] == [True, True, False]


def test_work_that_is_seen_puts_all_waits_into_the_background() -> None:
    state, agent = waiting()
    apply(state, events.WorkSeen(agent.id), LATER)
    assert agent.status is Status.RUNNING
    assert all(wait.is_background for wait in agent.waits.values())
    assert set(state.expiring) == {agent.id}


def test_withheld_time_begins_when_the_agent_first_lacks_a_slot() -> None:
    state, agent = waiting()
    apply(state, events.SlotAwaited(agent.id), LATER)
    apply(state, events.AgentFrozen(agent.id, 1, Frozen.WAIT_CUT, request=FIRST), Instant(1200.0, 1200.0))
    assert (agent.held_since, agent.started) == (1100.0, 1000.0)
    apply(state, events.WaitReopened(agent.id), Instant(1300.0, 1300.0))
    assert (agent.held_since, agent.started) == (None, 1200.0)
