"""The wait-for graph: paths, cycles, and how deep a wait may reach."""

from __future__ import annotations

import pytest

from orchd.core.admission import wait_graph
from orchd.core.state.agents import Agent, AgentId, Level, RequestId, Status, agent_id
from orchd.core.state.state import State
from orchd.dag import cycle_in
from tests.core.box import Box, spec, wait_for

LONG = 10_000


def ids(*numbers: int) -> tuple[AgentId, ...]:
    """`agent-001` and so on."""
    return tuple(agent_id(number) for number in numbers)


class Graph:
    """Agents put into a state by hand, with the edges that a test is about."""

    def __init__(self) -> None:
        self.state = State(resident=LONG)

    def queued(self, number: int, *after: int, claim: int = 0) -> Agent:
        """One that comes after others."""
        return self._put(number, Status.QUEUED, after=ids(*after), claim=claim)

    def living(self, number: int, *targets: int, claim: int = 0) -> Agent:
        """One that waits for others, if there are any."""
        agent = self._put(number, Status.WAITING if targets else Status.RUNNING, claim=claim)
        if targets:
            request = RequestId("r")
            agent.waits[request] = wait_for(request, *ids(*targets))
        self.state.living[agent.id] = agent
        return agent

    def over(self, number: int, *after: int) -> Agent:
        """One that has ended."""
        return self._put(number, Status.FAILED, after=ids(*after))

    def _put(self, number: int, status: Status, claim: int = 0, after: tuple[AgentId, ...] = ()) -> Agent:
        new_id = agent_id(number)
        agent = Agent(new_id, spec(after=after), Level.PM, (), claim=claim, age=0.0, status=status)
        self.state.agents[new_id] = agent
        return agent


def test_queued_agents_wait_for_blockers_and_waiting_agents_for_targets() -> None:
    box = Graph()
    box.over(9)
    box.living(1)
    queued, waiting = box.queued(2, 1, 9), box.living(3, 1, 2, 9)
    assert wait_graph.waits_for(box.state, queued) == [*ids(1)]
    assert wait_graph.waits_for(box.state, waiting) == [*ids(1, 2)]
    assert wait_graph.waits_for(box.state, box.state.agents[agent_id(1)]) == []


def test_a_started_agent_no_longer_waits_for_its_blockers() -> None:
    box = Graph()
    box.queued(1)
    agent = box.living(2)
    agent.spec = spec(after=ids(1))
    assert wait_graph.waits_for(box.state, agent) == []


def test_a_path_follows_waits_and_after() -> None:
    box = Graph()
    box.living(1, 2)
    box.queued(2, 3)
    box.living(3, 4)
    box.living(4)
    assert wait_graph.path_to(box.state, ids(1), agent_id(4)) == [*ids(1, 2, 3, 4)]
    assert wait_graph.path_to(box.state, ids(4), agent_id(1)) is None


def test_a_path_ends_at_a_finished_or_unknown_agent() -> None:
    box = Graph()
    box.over(1, 2)
    box.living(2)
    assert wait_graph.path_to(box.state, ids(1, 77), agent_id(2)) is None


def test_a_path_from_a_node_to_itself_is_that_node() -> None:
    assert wait_graph.path_to(State(), ids(1), agent_id(1)) == [*ids(1)]


def test_diamonds_are_walked_once() -> None:
    box = Graph()
    for number in range(1, 60, 3):  # two ways at each step: 2**20 paths
        box.queued(number, number + 1, number + 2)
        box.queued(number + 1, number + 3)
        box.queued(number + 2, number + 3)
    assert wait_graph.path_to(box.state, ids(1), agent_id(999)) is None
    waiter = box.living(1000)
    assert wait_graph.claims_needed(box.state, waiter, ids(1)) == {agent_id(1000): 1}


def test_a_cycle_is_shown_as_a_path_back_to_its_start() -> None:
    first, second, third = ids(1, 2, 3)
    cycle = cycle_in({first: [second], second: [third], third: [first]})
    assert cycle is not None
    assert cycle[0] == cycle[-1]
    assert set(cycle) == {first, second, third}


def test_an_acyclic_graph_has_no_cycle_and_a_self_edge_is_a_cycle() -> None:
    first, second = ids(1, 2)
    assert cycle_in({first: [second], second: []}) is None
    assert cycle_in({first: [first]}) == [first, first]


def test_blockers_come_first() -> None:
    first, second, third = ids(1, 2, 3)
    assert list(wait_graph.blockers_first({first: [second], second: [third]})) == [third, second, first]


def test_an_agent_that_waits_for_leaves_needs_a_claim_of_one() -> None:
    box = Graph()
    waiter = box.living(1)
    box.queued(2)
    box.living(3)
    assert wait_graph.claims_needed(box.state, waiter, ids(2, 3)) == {agent_id(1): 1}


def test_a_claim_is_one_more_than_the_largest_claim_behind_its_targets() -> None:
    box = Graph()
    waiter = box.living(1)
    box.queued(2, 3, 4, claim=0)
    box.queued(3, claim=2)
    box.living(4, claim=4)
    assert wait_graph.claims_needed(box.state, waiter, ids(2)) == {agent_id(1): 5}


def test_a_claim_that_is_large_enough_does_not_grow() -> None:
    box = Graph()
    waiter = box.living(1, claim=2)
    box.queued(2, claim=1)
    assert wait_graph.claims_needed(box.state, waiter, ids(2)) == {}


def test_agents_that_wait_for_the_waiter_need_larger_claims_too() -> None:
    box = Graph()
    box.living(1, 2, claim=1)
    waiter = box.living(2)
    box.queued(3, claim=1)
    box.living(5, 4, claim=1)
    box.queued(4, 2)
    assert wait_graph.claims_needed(box.state, waiter, ids(3)) == {agent_id(2): 2, agent_id(1): 3, agent_id(5): 3}


def test_without_a_new_waiter_only_larger_target_claims_raise_a_claim() -> None:
    box = Graph()
    box.living(1, 2, claim=1)
    box.queued(2, claim=3)
    assert wait_graph.claims_needed(box.state, None, ()) == {agent_id(1): 4}


@pytest.mark.parametrize("kind", ["after", "waits"])
def test_a_very_long_chain_causes_no_recursion(kind: str) -> None:
    box = Graph()
    waiter = box.living(1)
    for number in range(2, LONG):
        if kind == "after":
            box.queued(number, number + 1)
        else:
            box.living(number, number + 1)
    box.queued(LONG)
    claim = {"after": 1, "waits": LONG - 1}[kind]
    assert wait_graph.claims_needed(box.state, waiter, ids(2))[agent_id(1)] == claim
    path = wait_graph.path_to(box.state, ids(2), agent_id(LONG))
    assert path is not None
    assert len(path) == LONG - 1


def test_a_very_long_chain_is_spawned_waited_for_and_skipped() -> None:
    box = Box(limit=2)
    waiter = box.spawn()
    first = spec("n0")
    chain = [spec(f"n{number}", after=(AgentId(f"n{number - 1}"),)) for number in range(1, LONG)]
    agents = box.batch(first, *chain)
    box.wait(waiter, agents[-1])
    assert box.status(waiter) == ["waiting"]
    box.exit(agents[0], 1)
    assert set(box.status(*agents[1:])) == {"skipped"}
    assert box.status(waiter) == ["running"]


def test_a_child_of_an_active_agent_and_the_target_of_a_wait_are_needed() -> None:
    box = Graph()
    box.living(1, 2)
    box.queued(2, 3)
    for number in (3, 4, 5):
        box.queued(number)
    box.state.children = {agent_id(1): {*ids(2, 4)}, agent_id(5): {agent_id(6)}}
    assert wait_graph.needed(box.state) == {*ids(2, 3, 4)}


def test_no_agent_is_needed_when_no_agent_is_active() -> None:
    box = Graph()
    box.queued(1, 2)
    box.queued(2)
    assert wait_graph.needed(box.state) == set()
