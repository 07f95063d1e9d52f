"""Agents that come back to work: only in a slot, however their wait ended."""

from __future__ import annotations

from typing import Any

import pytest

from orchd.core import inputs
from orchd.core.admission.slots import overdrawn, working
from orchd.core.effects import Answer, Freeze, Terminate, Thaw
from orchd.core.state import events
from orchd.core.state.agents import AgentId, Frozen, RequestId
from tests.core.box import Box


def blocked(box: Box, **fields: Any) -> tuple[AgentId, AgentId, RequestId]:
    """A parent that waits for a child, which holds the only slot."""
    parent = box.spawn("parent", **fields)
    child = box.spawn("child", caller=parent)
    return parent, child, box.wait(parent, child)


def test_agents_return_in_the_order_in_which_they_began_to_wait_for_a_slot() -> None:
    box = Box(limit=2)
    first, second = box.spawn("first"), box.spawn("second")
    busy, other = box.spawn("busy", priority=9), box.spawn("other", priority=9)
    kid = box.spawn("kid", caller=first)
    box.wait(second, kid, timeout=5.0)
    box.wait(first, kid, timeout=6.0)
    box.sleep(5.5)
    box.sleep(5.5)
    box.pause()
    box.exit(busy)
    assert box.status(first, second) == ["waiting", "running"]
    box.exit(other)
    assert box.status(first, second) == ["running", "running"]


def test_after_a_wait_that_was_cut_short_a_new_agent_goes_first() -> None:
    box = Box(limit=2)
    first, second = box.spawn("first"), box.spawn("second")
    busy, other = box.spawn("busy", priority=9), box.spawn("other", priority=9)
    kid = box.spawn("kid", caller=first)
    box.wait(first, kid, timeout=5.0)
    box.wait(second, kid, timeout=5.0)
    box.sleep(5.0)
    box.exit(busy)
    assert box.status(first, second, kid) == ["running", "waiting", "queued"]
    box.exit(other)
    assert box.status(first, second, kid) == ["running", "waiting", "running"]


def test_a_fulfilled_wait_gives_no_precedence_to_new_agents() -> None:
    box = Box(limit=1)
    _, child, _ = blocked(box)
    box.exit(child)
    assert not box.state.is_new_next


@pytest.mark.parametrize("how", ["cancel", "timeout"])
def test_a_frozen_agent_is_ended_like_any_other(how: str) -> None:
    box = Box(limit=1)
    parent, _, request = blocked(box, grace=3.0)
    box.tell(inputs.CallerGone(parent, request))
    if how == "cancel":
        box.cancel(parent)
    else:
        box.drain(stop=True)
    assert Terminate(parent, 1) in box.turn.effects
    assert (box.agent(parent).frozen, box.agent(parent).held_since) == (None, None)
    assert box.status(parent) == ["stopping"]


def test_frozen_time_counts_for_no_timeout() -> None:
    box = Box(limit=1)
    parent, child, request = blocked(box, timeout=10.0, silence=4.0)
    box.sleep(3.0)
    box.tell(inputs.CallerGone(parent, request))
    box.sleep(100.0)
    assert box.status(parent) == ["waiting"]
    box.exit(child)
    box.quiet[parent] = 3.9
    box.sleep(3.9)
    assert box.status(parent) == ["running"]
    box.sleep(3.2)
    assert box.status(parent) == ["stopping"]
    assert box.agent(parent).reason == "timed out after 10 s"


def test_a_frozen_agent_that_requests_a_wait_is_thawed_and_waits_again() -> None:
    box = Box(limit=1)
    parent, child, request = blocked(box)
    box.tell(inputs.CallerGone(parent, request))
    again = box.wait(parent, child)
    assert Thaw(parent, 1) in box.turn.effects
    assert (box.agent(parent).frozen, box.status(parent)) == (None, ["waiting"])
    box.exit(child)
    assert box.replies() == {again: Answer(again, (child,))}


def test_an_agent_keeps_waiting_when_the_client_of_its_other_wait_ends() -> None:
    box = Box(limit=1)
    parent, child, request = blocked(box)
    other = box.wait(parent, child)
    box.tell(inputs.CallerGone(parent, request))
    assert (box.status(parent), box.agent(parent).frozen, list(box.agent(parent).waits)) == (["waiting"], None, [other])


def test_an_agent_is_frozen_when_the_client_of_its_withheld_wait_ends() -> None:
    box = Box(limit=1)
    parent = box.spawn("parent")
    child = box.spawn("child", caller=parent)
    request = box.wait(parent, child, timeout=5.0)
    box.sleep(5.0)
    since = box.agent(parent).held_since
    box.sleep(5.0)
    box.tell(inputs.CallerGone(parent, request))
    assert box.turn.effects == [Freeze(parent, 1)]
    assert (box.agent(parent).held_since, box.agent(parent).waits) == (since, {})


def test_work_during_a_wait_takes_a_free_slot_and_the_wait_continues() -> None:
    box = Box(limit=2)
    parent = box.spawn("parent")
    child = box.spawn("child", caller=parent)
    request = box.wait(parent, child, timeout=50.0)
    assert working(box.state) == 1
    box.tell(inputs.WorkedWhileWaiting(parent, 1))
    assert (box.status(parent), working(box.state), box.replies()) == (["running"], 2, {})
    box.tell(inputs.WorkedWhileWaiting(parent, 1))
    assert box.turn.events == []
    box.sleep(50.0)
    assert box.replies() == {request: Answer(request, (child,), timed_out=True)}
    assert box.status(parent) == ["running"]


def test_an_agent_frozen_for_work_during_a_wait_still_gets_its_reply() -> None:
    box = Box(limit=1)
    parent, child, request = blocked(box)
    box.tell(inputs.WorkedWhileWaiting(parent, 1))
    assert (box.agent(parent).frozen, box.turn.effects) == (Frozen.BUSY, [Freeze(parent, 1)])
    box.exit(child)
    assert (box.status(parent), box.agent(parent).waits) == (["running"], {})
    assert box.turn.effects == [Answer(request, (child,)), Thaw(parent, 1)]


def test_work_of_another_attempt_or_under_a_lenient_limit_is_ignored() -> None:
    box = Box(limit=1)
    parent, _, __ = blocked(box)
    box.tell(inputs.WorkedWhileWaiting(parent, 2))
    assert box.turn.events == []
    box.state.is_strict = False
    box.tell(inputs.WorkedWhileWaiting(parent, 1))
    assert (box.turn.events, overdrawn(box.state)) == ([], 0)


def test_frozen_agents_run_again_when_the_limit_becomes_lenient() -> None:
    box = Box(limit=1)
    parent, _, request = blocked(box)
    box.tell(inputs.CallerGone(parent, request))
    box.state.is_strict = False
    box.sleep(0.0)
    assert (box.status(parent), overdrawn(box.state)) == (["running"], 1)


def test_a_second_wait_is_answered_at_its_deadline_and_the_first_continues() -> None:
    box = Box(limit=1)
    parent, child, request = blocked(box)
    other = box.wait(parent, child, timeout=5.0)
    box.sleep(5.0)
    assert box.replies() == {other: Answer(other, (child,), timed_out=True)}
    assert [type(event) for event in box.turn.events] == [events.WaitExpired, events.WaitEnded]
    assert list(box.agent(parent).waits) == [request]


def test_a_retried_target_reopens_a_withheld_wait() -> None:
    box = Box(limit=2)
    parent = box.spawn("parent", timeout=100.0)
    child = box.spawn("child", caller=parent)
    box.wait(parent, child)
    box.spawn("other")
    box.limit(1)
    box.exit(child, 1)
    assert box.agent(parent).held_since == box.now
    box.sleep(30.0)
    box.retry(child)
    assert (box.agent(parent).held_since, box.agent(parent).started) == (None, 1030.0)
