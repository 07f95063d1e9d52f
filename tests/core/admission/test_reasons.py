"""Why an agent is not working: the first thing in the way, by its name."""

from __future__ import annotations

from orchd.core.admission.reasons import position, reason
from orchd.core.state.agents import AgentId, agent_id
from tests.core.box import Box, spec


def why(box: Box, agent_id: AgentId) -> str | None:
    """The reason that `status` shows."""
    return reason(box.state, box.agent(agent_id), box.now)


def test_a_position_counts_earlier_agents_and_is_none_unless_queued() -> None:
    box = Box(limit=1)
    running, first, second = box.batch(spec("a"), spec("b"), spec("c"))
    assert [position(box.state, box.agent(agent_id)) for agent_id in (running, first, second)] == [None, 1, 2]


def test_a_queued_agent_names_its_blockers() -> None:
    box = Box()
    blockers = box.batch(*(spec(f"n{number}") for number in range(5)))
    agent_id = box.spawn(after=blockers)
    assert why(box, agent_id) == "after agent-001 (running), agent-002 (running), agent-003 (running) and 2 more"


def test_a_delayed_retry_reports_its_delay_and_its_failure() -> None:
    box = Box()
    agent_id = box.spawn(retries=1)
    box.exit(agent_id, 3)
    box.agent(agent_id).ready_at = box.now + 7.0
    assert why(box, agent_id) == "retries in 7 s: exit code 3"


def test_a_pause_the_host_and_a_shutdown_are_reported_as_reasons() -> None:
    box = Box()
    box.pause()
    agent_id = box.spawn()
    assert "paused" in str(why(box, agent_id))
    box.broken[agent_id] = ("no pids", True)
    box.resume()
    assert why(box, agent_id) == "the machine could not start a process; it retries in 1 s"
    box.drain()
    assert why(box, agent_id) == "the daemon is shutting down"


def test_a_reached_limit_is_reported_with_its_slot_counts() -> None:
    box = Box(limit=2)
    box.batch(spec("a"), spec("b"))
    agent_id = box.spawn()
    assert why(box, agent_id) == "2 of 2 slots are in use"
    box.limit(limit=1)
    assert why(box, agent_id) == "2 of 1 slots are in use, 1 over the limit"


def test_resident_slots_that_are_all_in_use_are_reported() -> None:
    box = Box(limit=2, resident=3)
    parents = box.batch(spec("a", nesting=1), spec("b", nesting=1))
    children = [box.spawn(caller=parent) for parent in parents]
    for parent, child in zip(parents, children, strict=True):
        box.wait(parent, child)
    assert why(box, children[1]) == "3 of 3 resident slots are in use"


def test_a_possible_deadlock_is_reported_with_the_nesting_of_active_agents() -> None:
    box = Box(limit=3, resident=3)
    box.spawn(nesting=2)
    agent_id = box.spawn(nesting=2)
    text = "its nesting of 2 could deadlock at 3 resident slots with the agents alive (nesting 2)"
    assert why(box, agent_id) == text


def test_a_queued_agent_starts_next_or_has_other_agents_ahead() -> None:
    box = Box(limit=1)
    box.batch(spec("a"), spec("b"), spec("c"))
    box.pause()
    box.exit(agent_id(1))
    box.state.is_paused = False
    assert why(box, agent_id(2)) == "it starts next"
    assert why(box, agent_id(3)) == "other agents are ahead of it in the queue"


def test_a_waiting_agent_reports_its_targets_or_that_it_needs_a_slot() -> None:
    box = Box(limit=2)
    parent = box.spawn()
    child = box.spawn(caller=parent)
    box.wait(parent, child)
    assert why(box, parent) == f"waits for {child}"
    box.spawn()
    box.limit(limit=1)
    box.exit(child)
    assert why(box, parent) == "waits for a slot"


def test_an_agent_returning_from_an_any_wait_reports_its_missing_slot() -> None:
    box = Box(limit=3)
    parent = box.spawn()
    first, second = box.spawn(caller=parent), box.spawn(caller=parent)
    box.wait(parent, first, second, is_any=True)
    box.limit(limit=1)
    box.exit(first, 1)
    assert why(box, parent) == "waits for a slot"
    box.retry(first)  # it is not over any more, and so none of them is enough
    assert why(box, parent) == f"waits for {first}, {second}"


def test_a_finished_agent_reports_its_end_and_a_running_agent_no_reason() -> None:
    box = Box()
    first, second = box.batch(spec("a"), spec("b"))
    box.exit(first, 2)
    assert (why(box, first), why(box, second)) == ("exit code 2", None)


def test_three_blockers_are_all_named() -> None:
    box = Box(limit=3)
    blockers = box.batch(*(spec(name) for name in "abc"))
    agent_id = box.spawn(after=blockers)
    assert why(box, agent_id) == "after agent-001 (running), agent-002 (running), agent-003 (running)"
