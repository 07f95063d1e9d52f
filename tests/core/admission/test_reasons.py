"""Why an agent is not working: the first thing in the way, by its name."""

from __future__ import annotations

from orchd.core.admission.reasons import position, reason
from orchd.core.state.agents import AgentId, agent_id
from tests.core.box import Box, spec


def why(box: Box, agent_id: AgentId) -> str | None:
    """The reason that `status` shows."""
    return reason(box.state, box.agent(agent_id), box.now)


def test_a_position_counts_those_before_it_and_who_is_not_queued_has_none() -> None:
    box = Box(limit=1)
    running, first, second = box.batch(spec("a"), spec("b"), spec("c"))
    assert [position(box.state, box.agent(agent_id)) for agent_id in (running, first, second)] == [None, 1, 2]


def test_a_queued_agent_names_what_it_comes_after() -> None:
    box = Box()
    blockers = box.batch(*(spec(f"n{number}") for number in range(5)))
    agent_id = box.spawn(after=blockers)
    assert why(box, agent_id) == "after agent-001 (running), agent-002 (running), agent-003 (running) and 2 more"


def test_a_retry_says_when_and_what_was_wrong() -> None:
    box = Box()
    agent_id = box.spawn(retries=1)
    box.exit(agent_id, 3)
    box.agent(agent_id).ready_at = box.now + 7.0
    assert why(box, agent_id) == "retries in 7 s: exit code 3"


def test_the_daemon_a_person_and_the_machine_may_be_in_the_way() -> None:
    box = Box()
    box.pause()
    agent_id = box.spawn()
    assert "paused" in str(why(box, agent_id))
    box.broken[agent_id] = ("no pids", True)
    box.resume()
    assert why(box, agent_id) == "the machine could not start a process; it retries in 1 s"
    box.drain()
    assert why(box, agent_id) == "the daemon is shutting down"


def test_a_full_box_says_how_full() -> None:
    box = Box(limit=2)
    box.batch(spec("a"), spec("b"))
    agent_id = box.spawn()
    assert why(box, agent_id) == "2 of 2 slots are in use"
    box.limit(limit=1)
    assert why(box, agent_id) == "2 of 1 slots are in use, 1 over the limit"


def test_a_box_full_of_waiting_agents_says_so() -> None:
    box = Box(limit=2, resident=3)
    parents = box.batch(spec("a", nesting=1), spec("b", nesting=1))
    children = [box.spawn(caller=parent) for parent in parents]
    for parent, child in zip(parents, children, strict=True):
        box.wait(parent, child)
    assert why(box, children[1]) == "3 of 3 resident slots are in use"


def test_what_could_deadlock_says_beside_whom() -> None:
    box = Box(limit=3, resident=3)
    box.spawn(nesting=2)
    agent_id = box.spawn(nesting=2)
    text = "its nesting of 2 could deadlock at 3 resident slots with the agents alive (nesting 2)"
    assert why(box, agent_id) == text


def test_otherwise_others_are_before_it() -> None:
    box = Box(limit=1)
    box.batch(spec("a"), spec("b"), spec("c"))
    box.pause()
    box.exit(agent_id(1))
    box.state.is_paused = False
    assert why(box, agent_id(2)) == "it starts next"
    assert why(box, agent_id(3)) == "other agents are ahead of it in the queue"


def test_a_waiting_agent_says_for_whom_or_that_it_needs_a_place() -> None:
    box = Box(limit=2)
    parent = box.spawn()
    child = box.spawn(caller=parent)
    box.wait(parent, child)
    assert why(box, parent) == f"waits for {child}"
    box.spawn()
    box.limit(limit=1)
    box.exit(child)
    assert why(box, parent) == "waits for a slot"


def test_one_who_waited_for_any_of_several_does_not_say_that_it_waits_for_the_others() -> None:
    box = Box(limit=3)
    parent = box.spawn()
    first, second = box.spawn(caller=parent), box.spawn(caller=parent)
    box.wait(parent, first, second, is_any=True)
    box.limit(limit=1)
    box.exit(first, 1)
    assert why(box, parent) == "waits for a slot"
    box.retry(first)  # it is not over any more, and so none of them is enough
    assert why(box, parent) == f"waits for {first}, {second}"


def test_what_is_over_says_how_it_came_to_that_and_what_runs_says_nothing() -> None:
    box = Box()
    first, second = box.batch(spec("a"), spec("b"))
    box.exit(first, 2)
    assert (why(box, first), why(box, second)) == ("exit code 2", None)


def test_as_many_as_are_shown_are_all() -> None:
    box = Box(limit=3)
    blockers = box.batch(*(spec(name) for name in "abc"))
    agent_id = box.spawn(after=blockers)
    assert why(box, agent_id) == "after agent-001 (running), agent-002 (running), agent-003 (running)"
