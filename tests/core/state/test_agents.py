"""The model: what an agent knows about itself."""

from __future__ import annotations

import dataclasses

import pytest

from orchd.core.state.agents import LIVING, OVER, WORKING, Agent, AgentId, Level, Status, agent_id, number_of
from orchd.core.state.state import State
from tests.core.box import spec


def an_agent(number: int, *ancestors: int, status: Status = Status.QUEUED) -> Agent:
    """An agent below `ancestors`."""
    above = tuple(agent_id(ancestor) for ancestor in ancestors)
    return Agent(agent_id(number), spec(), Level.PM, above, claim=0, age=0.0, status=status)


def test_the_queued_active_and_finished_statuses_are_disjoint_and_complete() -> None:
    assert {Status.QUEUED} | LIVING | OVER == set(Status)
    assert not LIVING & OVER
    assert {Status.WAITING} == LIVING - WORKING


@pytest.mark.parametrize(("number", "expected"), [(1, "agent-001"), (999, "agent-999"), (12345, "agent-12345")])
def test_an_id_carries_its_number(number: int, expected: AgentId) -> None:
    assert agent_id(number) == expected
    assert number_of(expected) == number


def test_a_root_is_the_top_of_its_own_tree() -> None:
    root = an_agent(7)
    assert (root.parent, root.root, root.depth, root.number) == (None, "agent-007", 0, 7)


def test_a_grandchild_has_its_parent_root_and_depth() -> None:
    agent = an_agent(9, 3, 5)
    assert (agent.parent, agent.root, agent.depth) == ("agent-005", "agent-003", 2)


@pytest.mark.parametrize("status", list(Status))
def test_an_agent_is_finished_when_its_status_is_final(status: Status) -> None:
    assert an_agent(1, status=status).is_over == (status in OVER)


def test_an_agent_that_is_not_in_memory_counts_as_finished() -> None:
    agents = [an_agent(1), an_agent(2, status=Status.FAILED), an_agent(3, status=Status.RUNNING)]
    state = State(agents={agent.id: agent for agent in agents})
    ids = [agent_id(number) for number in (3, 2, 1, 99)]
    assert [agent.number for agent in state.unfinished(ids)] == [3, 1]


def test_a_spec_is_immutable() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        spec().name = "other"  # type: ignore[misc]
