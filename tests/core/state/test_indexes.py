"""The indexes: what is kept is what would be counted, whatever happens."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchd.core.inputs import BeginRun, Part
from orchd.core.state.agents import Agent, AgentId, Level, RequestId, Status, agent_id
from orchd.core.state.indexes import forget, forget_runs, indexes, load, recount, ripen, ticket_of
from orchd.core.state.ready_queue import QueueKey
from orchd.core.state.runs import GroupPlan, RunPlan
from orchd.core.state.state import State
from tests.core.box import Box, spec, wait_for


def stored(number: int, status: Status, *ancestors: int, after: tuple[int, ...] = (), **fields: object) -> Agent:
    """An agent as the store gives it back."""
    above = tuple(agent_id(ancestor) for ancestor in ancestors)
    agent_spec = spec(after=tuple(agent_id(blocker) for blocker in after))
    agent = Agent(agent_id(number), agent_spec, Level.PM, above, claim=0, age=0.0, status=status)
    for name, value in fields.items():
        setattr(agent, name, value)
    return agent


def test_each_agent_is_in_every_index_it_belongs_to() -> None:
    box = Box(limit=1)
    parent = box.spawn("parent", environment="one")
    child = box.spawn("child", caller=parent, environment="two")
    later = box.spawn("later", after=(child,), environment="two")
    assert set(box.state.living) == {parent}
    assert box.state.children == {parent: {child}}
    assert box.state.dependents == {child: {later}}
    assert box.state.environments == {"one": 1, "two": 2}
    assert [entry.number for entry, _ in box.state.queue.entries()] == [box.agent(child).number]


def test_a_finished_agent_is_in_no_index() -> None:
    box = Box()
    parent = box.spawn()
    box.cancel(box.spawn(caller=parent), parent)
    for agent in (agent_id(2), parent):
        box.exit(agent, 143)
    assert indexes(box.state) == indexes(State())


def test_a_dependent_enters_the_queue_when_its_last_blocker_completed() -> None:
    box = Box(limit=2)
    first, second = box.batch(spec("a"), spec("b"))
    later = box.spawn(after=(first, second))
    box.pause()
    box.exit(first)
    assert (box.state.dependents, len(box.state.queue)) == ({second: {later}}, 0)
    box.exit(second)
    assert (box.state.dependents, len(box.state.queue)) == ({}, 1)


def test_a_skipped_dependent_leaves_the_index_of_both_blockers() -> None:
    box = Box(limit=2)
    first, second = box.batch(spec("a"), spec("b"))
    box.spawn(after=(first, second))
    box.exit(first, 1)
    assert box.state.dependents == {}
    box.exit(second)
    assert len(box.state.queue) == 0


def test_a_revived_agent_is_back_in_all_indexes() -> None:
    box = Box(limit=1)
    parent = box.spawn()
    child, _ = box.batch(spec("a"), spec("b"), caller=parent)
    box.cancel(child)
    assert box.state.children == {parent: {agent_id(3)}}
    box.retry(child)
    assert box.state.children == {parent: {child, agent_id(3)}}
    assert len(box.state.queue) == 2


def test_a_cancelled_dependent_adds_no_entry_for_a_completed_blocker() -> None:
    box = Box(limit=2)
    first, second = box.batch(spec("a"), spec("b"))
    box.batch(spec("c", after=(first, second)), spec("d", after=(second,)))
    box.exit(first)
    box.cancel(agent_id(3))
    assert box.state.dependents == {second: {agent_id(4)}}


def test_stored_agents_are_loaded_into_the_same_indexes_and_order() -> None:
    state = State()
    load(
        state,
        [
            stored(3, Status.QUEUED, after=(2, 1)),
            stored(2, Status.QUEUED, ready_at=50.0),
            stored(4, Status.WAITING, 1),
            stored(5, Status.QUEUED, after=(77,)),
        ],
    )
    assert recount(state) == indexes(state)
    assert set(state.living) == {agent_id(4)}
    assert state.dependents == {agent_id(2): {agent_id(3)}}
    assert state.queue.next_due() == 50.0
    assert [ticket.number for ticket, _ in state.queue.heads()] == [5]


def test_a_finished_agent_can_be_loaded_and_forgotten() -> None:
    state = State()
    load(state, [stored(1, Status.FAILED), stored(2, Status.QUEUED, after=(1,))])
    forget(state, [agent_id(1), agent_id(2), agent_id(3)])
    assert set(state.agents) == {agent_id(2)}
    assert recount(state) == indexes(state)


def test_a_waiting_agent_is_indexed_by_targets_and_whether_its_wait_ended() -> None:
    box = Box(limit=1)
    parent = box.spawn("parent")
    first, second = box.batch(spec("first"), spec("second"), caller=parent)
    box.wait(parent, first, second, timeout=50.0)
    state = box.state
    assert (set(state.waiting), set(state.expiring), set(state.due)) == ({parent}, {parent}, set())
    assert state.awaited == {first: {parent}, second: {parent}}
    box.exit(first)
    assert not state.due
    box.cancel(second)
    box.exit(second, 143)
    assert (state.waiting, state.expiring, state.due, state.awaited) == ({}, {}, {}, {})


def test_a_withheld_wait_is_no_longer_due_when_its_target_is_retried() -> None:
    box = Box(limit=1)
    parent = box.spawn("parent")
    child = box.spawn("child", caller=parent)
    box.wait(parent, child)
    box.limit(2)
    box.spawn("other")
    box.limit(1)
    box.exit(child, 1)
    assert set(box.state.due) == {parent}
    box.retry(child)
    assert not box.state.due
    assert box.status(parent, child) == ["waiting", "queued"]


def test_a_finished_run_is_forgotten_with_the_last_of_its_members() -> None:
    box = Box()
    state = box.state
    parts = tuple(Part(name, spec(name)) for name in "ab")
    box.tell(BeginRun(box.request(), None, RunPlan("run", (GroupPlan(""),), "/"), parts, {}, {"a": 1.0, "b": 1.0}))
    first, second = box.answered()
    box.exit(first)
    forget(state, [first])
    assert list(state.runs) == ["run-001"]
    box.exit(second)
    forget_runs(state, list(state.runs))
    assert list(state.runs) == ["run-001"]
    forget(state, [second])
    assert state.runs == {}


def test_time_alone_queues_delayed_agents_and_ends_a_hold() -> None:
    state = State(spawn_backoff_until=20.0)
    load(state, [stored(1, Status.QUEUED, ready_at=10.0)])
    ripen(state, 9.0)
    assert (state.queue.heads(), state.spawn_backoff_until) == ([], 20.0)
    ripen(state, 10.0)
    assert len(state.queue.heads()) == 1
    assert state.spawn_backoff_until == 20.0
    ripen(state, 20.0)
    assert state.spawn_backoff_until == 0.0


def test_a_ticket_is_computed_from_the_fields_of_its_agent() -> None:
    agent = stored(7, Status.QUEUED, 1, 2, age=1200.0)
    assert ticket_of(agent) == (2.0, -2, 7, 0.0, 7)


def test_a_wrong_index_is_detected() -> None:
    box = Box(limit=1)
    box.batch(spec("a"), spec("b"))
    assert recount(box.state) == indexes(box.state)
    box.state.living.clear()
    assert recount(box.state) != indexes(box.state)


@pytest.mark.parametrize("claim", [0, 2])
def test_a_ticket_in_the_wrong_queue_is_detected(claim: int) -> None:
    box = Box(limit=1)
    box.spawn()
    queued = box.agent(box.spawn(nesting=claim))
    box.state.queue.discard(ticket_of(queued), QueueKey(claim), None)
    box.state.queue.add(ticket_of(queued), QueueKey(1))
    assert recount(box.state) != indexes(box.state)


STATUSES = st.sampled_from(sorted(set(Status) - {Status.STARTING}, key=str))
AGENTS = st.lists(
    st.tuples(STATUSES, st.lists(st.integers(1, 8), max_size=2), st.none() | st.floats(0.0, 9.0)), max_size=8
)


@given(AGENTS)
def test_loading_in_any_order_builds_the_counted_indexes(rows: list[tuple[Status, list[int], float | None]]) -> None:
    agents = []
    for number, (status, after, ready_at) in enumerate(rows, 1):
        earlier = tuple(blocker for blocker in dict.fromkeys(after) if blocker < number)
        agent = stored(number, status, after=earlier, ready_at=ready_at if status is Status.QUEUED else None)
        if status is Status.WAITING:
            agent.waits[RequestId("r")] = wait_for(RequestId("r"), AgentId("agent-001"))
        agents.append(agent)
    forwards, backwards = State(), State()
    load(forwards, agents)
    load(backwards, agents[::-1])
    assert indexes(forwards) == recount(forwards) == indexes(backwards)
