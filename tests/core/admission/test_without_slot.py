"""Agents that lack nothing but a slot, and the agents that keep them waiting."""

from __future__ import annotations

import pytest

from orchd.core.admission.without_slot import kept_waiting_by, lender_of, returning_without_slot
from orchd.core.state.agents import AgentId, agent_id
from tests.core.box import Box


@pytest.fixture
def box() -> Box:
    """A limit of one."""
    return Box(limit=1)


def borrowing(box: Box) -> tuple[AgentId, AgentId]:
    """An agent that lent its slot, and the agent that runs in it."""
    parent = box.spawn("parent")
    child = box.spawn("child", caller=parent)
    box.sleep(30.0)
    return parent, child


def returning(box: Box) -> tuple[AgentId, AgentId]:
    """An agent whose wait has timed out, so that it only waits for a slot, and the agent that has the slot."""
    parent = box.spawn("parent")
    child = box.spawn("child", caller=parent)
    box.wait(parent, child, timeout=1.0)
    box.sleep(1.0)
    return parent, child


def test_only_an_agent_that_works_in_a_lent_slot_has_a_lender(box: Box) -> None:
    parent, child = borrowing(box)
    assert lender_of(box.state, child) is box.agent(parent)
    assert kept_waiting_by(box.state, child) is box.agent(parent)
    for other in (parent, agent_id(99)):
        assert (lender_of(box.state, other), kept_waiting_by(box.state, other)) == (None, None)
    box.pause_agents(child)
    assert (lender_of(box.state, child), kept_waiting_by(box.state, child)) == (None, None)


def test_an_agent_waits_for_a_slot_only_while_none_is_free(box: Box) -> None:
    parent, child = returning(box)
    assert returning_without_slot(box.state) is box.agent(parent)
    assert (lender_of(box.state, child), kept_waiting_by(box.state, child)) == (None, box.agent(parent))
    box.state.limit = 2  # as in the turn that raises it, before it is settled
    assert (returning_without_slot(box.state), kept_waiting_by(box.state, child)) == (None, None)
