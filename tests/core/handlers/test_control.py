"""What a person changes from outside."""

from __future__ import annotations

from typing import Any

import pytest

from orchd.core import inputs
from orchd.core.effects import Answer, Refuse
from orchd.core.state.agents import AgentId, agent_id
from orchd.core.state.events import AdmissionsPaused, AdmissionsResumed, AgentPromoted, DrainBegan, LimitChanged
from tests.core.box import Box, names, spec


def failed(box: Box, **fields: Any) -> AgentId:
    """One that has ended badly."""
    agent_id = box.spawn(**fields)
    box.exit(agent_id, 1)
    return agent_id


def test_cancel_leaves_finished_agents_unchanged_and_answers_with_them() -> None:
    box = Box()
    completed, running = box.batch(spec("a"), spec("b"))
    box.exit(completed)
    box.cancel(completed, running, agent_id(99))
    assert box.answered() == (completed, running, agent_id(99))
    assert box.status(completed, running) == ["completed", "stopping"]


def test_cancelling_a_parent_and_its_child_at_once_cancels_both() -> None:
    box = Box(limit=1)
    parent = box.spawn()
    child = box.spawn(caller=parent)
    box.cancel(parent, child)
    assert box.status(parent, child) == ["stopping", "cancelled"]


def test_cancelling_a_tree_cancels_the_children_of_a_completed_parent() -> None:
    box = Box(limit=2)
    root = box.spawn()
    child = box.spawn(caller=root)
    grandchild, queued = box.batch(spec("a"), spec("b"), caller=child)
    box.exit(child)
    assert box.status(root, child, grandchild, queued) == ["running", "completed", "running", "queued"]
    box.cancel(root)
    assert box.status(root, child, grandchild, queued) == ["stopping", "completed", "stopping", "cancelled"]


def test_cancelling_a_completed_parent_ends_its_unfinished_children() -> None:
    box = Box()
    parent = box.spawn()
    child = box.spawn(caller=parent)
    box.exit(parent)
    box.cancel(parent)
    assert box.status(parent, child) == ["completed", "stopping"]
    assert box.agent(child).reason == f"{parent}, which it belongs to, was cancelled"
    assert box.agent(child).because == parent


def test_a_manual_retry_starts_another_attempt() -> None:
    box = Box()
    agent_id = failed(box, environment="old")
    box.retry(agent_id, environment="new")
    assert box.answered() == (agent_id,)
    assert box.status(agent_id) == ["running"]
    assert (box.agent(agent_id).attempt, box.agent(agent_id).spec.environment) == (2, "new")


def test_an_agent_named_twice_in_a_retry_is_attempted_once() -> None:
    box = Box()
    agent_id = failed(box)
    box.retry(agent_id, agent_id)
    assert (box.status(agent_id), box.agent(agent_id).attempt) == (["running"], 2)


@pytest.mark.parametrize(("end", "words"), [("running", "still running"), ("completed", "is completed")])
def test_a_retry_with_a_running_or_completed_agent_is_refused_entirely(end: str, words: str) -> None:
    box = Box()
    bad, other = failed(box), box.spawn()
    if end == "completed":
        box.exit(other)
    box.retry(bad, other)
    (refusal,) = box.done(Refuse)
    assert (refusal.code, box.status(bad)) == ("cannot-retry", ["failed"])
    assert words in refusal.message


def test_a_retried_agent_with_a_failed_blocker_is_skipped_again() -> None:
    box = Box()
    blocker = failed(box)
    agent_id = box.spawn(after=(blocker,))
    box.retry(agent_id)
    assert box.status(agent_id) == ["skipped"]


@pytest.mark.parametrize("is_backwards", [False, True])
def test_a_retried_chain_keeps_its_order(is_backwards: bool) -> None:
    box = Box()
    chain = box.batch(spec("a"), spec("b", after=(AgentId("a"),)), spec("c", after=(AgentId("b"),)))
    box.exit(chain[0], 1)
    assert box.status(*chain) == ["failed", "skipped", "skipped"]
    box.retry(*(chain[::-1] if is_backwards else chain))
    assert box.status(*chain) == ["running", "queued", "queued"]
    box.exit(chain[0])
    box.exit(chain[1])
    assert box.status(*chain) == ["completed", "completed", "running"]


def test_a_child_may_be_retried_after_its_parent_has_failed() -> None:
    box = Box()
    parent = box.spawn()
    child = box.spawn(caller=parent)
    box.exit(parent, 1)
    box.exit(child, 143)
    box.retry(child)
    assert box.status(parent, child) == ["failed", "running"]


def test_a_retry_with_a_nesting_that_can_never_fit_is_refused() -> None:
    box = Box(limit=2, resident=4)
    agent_id = failed(box, nesting=3)
    box.limit(resident=3)
    box.retry(agent_id)
    assert (box.refusal(), box.status(agent_id)) == ("nesting-too-large", ["failed"])


def test_an_agent_that_waits_for_a_retried_agent_is_promoted() -> None:
    box = Box()
    waiter, other = box.batch(spec("waiter"), spec("other"))
    deep = failed(box, nesting=2)
    box.wait(waiter, deep, other)
    assert box.agent(waiter).claim == 1
    box.retry(deep)
    assert names(box.turn.events)[:2] == ["AgentPromoted", "AgentRevived"]
    assert box.events(AgentPromoted) == [AgentPromoted(waiter, 3)]
    box.exit(other)
    assert box.status(waiter) == ["waiting"]
    box.exit(deep)
    assert box.status(waiter) == ["running"]


def test_a_retry_that_could_deadlock_is_refused() -> None:
    box = Box(limit=3, resident=3)
    waiter, other = box.batch(spec("waiter"), spec("other"))
    deep = failed(box, nesting=2)
    box.wait(waiter, deep, other)
    box.retry(deep)
    (refusal,) = box.done(Refuse)
    assert (refusal.code, box.status(deep)) == ("would-deadlock", ["failed"])
    assert waiter in refusal.message


def test_a_retry_that_would_close_a_cycle_is_refused() -> None:
    box = Box(limit=2)
    waiter, other = box.batch(spec("waiter"), spec("other"))
    queued = box.spawn(after=(waiter,))
    box.cancel(queued)
    box.wait(waiter, queued, other)
    box.retry(queued)
    (refusal,) = box.done(Refuse)
    assert (refusal.code, box.status(queued)) == ("cycle", ["cancelled"])
    assert f"{queued} -> {waiter} -> {queued}" in refusal.message


def test_a_refused_retry_prints_the_cycle_from_the_retried_agent() -> None:
    box = Box(limit=2)
    waiter, other = box.batch(spec("waiter"), spec("other"))
    middle = box.spawn(after=(waiter,))
    queued = box.spawn(after=(middle,))
    box.cancel(queued)
    box.wait(waiter, queued, other)
    box.retry(queued)
    (refusal,) = box.done(Refuse)
    way = f"{queued} -> {middle} -> {waiter} -> {queued}"
    way_out = "retry it when the agents that wait for it have ended"
    assert refusal.message == f"{queued} would wait for itself: {way}; {way_out}"


def test_a_second_pause_and_a_second_resume_change_nothing() -> None:
    box = Box()
    for change, event in ((box.pause, AdmissionsPaused), (box.resume, AdmissionsResumed)):
        assert change().events == [event()]
        assert change().events == []
        assert names(box.turn.effects) == ["Answer"]


def test_either_number_of_the_limit_may_be_changed() -> None:
    box = Box(limit=2, resident=4)
    assert box.limit(limit=3).events == [LimitChanged(3, 4)]
    assert box.limit(resident=5).events == [LimitChanged(3, 5)]
    assert box.limit(limit=8).events == [LimitChanged(8, 8)]
    assert box.limit(limit=8, resident=8).events == []
    assert names(box.turn.effects) == ["Answer"]


def test_a_raised_limit_admits_at_once() -> None:
    box = Box(limit=1)
    agents = box.batch(spec("a"), spec("b"), spec("c"))
    box.limit(limit=3)
    assert box.status(*agents) == ["running"] * 3


def test_fewer_resident_slots_than_the_limit_are_refused() -> None:
    box = Box(limit=3)
    box.limit(resident=2)
    assert (box.refusal(), box.state.resident) == ("bad-limit", 28)


def test_a_resident_limit_too_low_for_active_agents_reports_the_minimum() -> None:
    box = Box(limit=2, resident=6)
    box.batch(spec("a", nesting=2), spec("b", nesting=2))
    box.limit(limit=1, resident=3)
    (refusal,) = box.done(Refuse)
    assert refusal.code == "would-deadlock"
    assert "at least 4" in refusal.message
    assert box.limit(resident=4).events == [LimitChanged(2, 4)]


def test_a_resident_limit_too_low_for_queued_agents_is_refused() -> None:
    box = Box(limit=1, resident=6)
    box.batch(spec("a"), spec("b", nesting=3))
    box.limit(resident=3)
    assert (box.refusal(), box.state.resident) == ("bad-limit", 6)
    box.cancel(agent_id(2))
    assert box.limit(resident=3).events == [LimitChanged(1, 3)]


def test_a_draining_daemon_leaves_running_agents_and_starts_no_others() -> None:
    box = Box(limit=1)
    first, second = box.batch(spec("a"), spec("b"))
    box.drain()
    assert box.turn.events == [DrainBegan()]
    assert box.status(first, second) == ["running", "queued"]
    box.drain()
    assert box.turn.events == []
    box.exit(first)
    assert box.status(first, second) == ["completed", "queued"]


def test_a_daemon_that_stops_its_agents_leaves_queued_agents() -> None:
    box = Box(limit=2)
    parent = box.spawn()
    child, waiting = box.spawn(caller=parent), box.spawn()
    box.drain(stop=True)
    assert box.status(parent, child, waiting) == ["stopping", "stopping", "queued"]
    assert names(effect for effect in box.turn.effects if isinstance(effect, Answer)) == ["Answer"]
    box.exit(parent, 143)
    box.exit(child, 143)
    assert box.status(parent, child, waiting) == ["cancelled", "cancelled", "queued"]


def test_stopping_a_parent_at_shutdown_cancels_its_queued_child_once() -> None:
    box = Box(limit=1)
    parent = box.spawn()
    child = box.spawn(caller=parent)
    box.tell(inputs.Drain(box.request(), stop=True))
    assert box.status(parent, child) == ["stopping", "cancelled"]


def configure(box: Box, limit: int, resident: int | None = None) -> list[str]:
    """The names of the effects of a configuration with these numbers."""
    box.tell(inputs.SetLimit(None, limit, resident, by_command=False))
    return names(box.turn.effects)


def test_a_configured_limit_is_set_and_answers_no_request() -> None:
    box = Box(limit=2, resident=4)
    assert configure(box, 3) == []
    assert box.turn.events == [LimitChanged(3, 4, by_command=False)]
    assert configure(box, 3) == []
    assert box.turn.events == []


def test_an_invalid_configured_limit_changes_and_refuses_nothing() -> None:
    box = Box(limit=2, resident=4)
    assert configure(box, 3, 2) == []
    assert (box.turn.events, box.state.limit) == ([], 2)


def test_a_limit_set_by_a_command_overrides_the_configured_limit() -> None:
    box = Box(limit=2, resident=4)
    box.limit(limit=3)
    assert configure(box, 1) == []
    assert (box.turn.events, box.state.limit) == ([], 3)
