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


def test_a_wait_that_came_about_gives_no_precedence_to_new_agents() -> None:
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


def test_the_time_for_which_an_agent_is_frozen_counts_for_no_time_out() -> None:
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


def test_a_frozen_agent_that_asks_to_wait_is_blocked_again_and_not_frozen() -> None:
    box = Box(limit=1)
    parent, child, request = blocked(box)
    box.tell(inputs.CallerGone(parent, request))
    again = box.wait(parent, child)
    assert Thaw(parent, 1) in box.turn.effects
    assert (box.agent(parent).frozen, box.status(parent)) == (None, ["waiting"])
    box.exit(child)
    assert box.replies() == {again: Answer(again, (child,))}


def test_the_client_of_one_of_two_waits_that_ends_leaves_the_agent_waiting() -> None:
    box = Box(limit=1)
    parent, child, request = blocked(box)
    other = box.wait(parent, child)
    box.tell(inputs.CallerGone(parent, request))
    assert (box.status(parent), box.agent(parent).frozen, list(box.agent(parent).waits)) == (["waiting"], None, [other])


def test_the_client_of_a_withheld_wait_that_ends_has_its_agent_frozen() -> None:
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


def test_work_beside_a_wait_takes_a_free_slot_and_the_wait_goes_on() -> None:
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


def test_work_beside_a_wait_without_a_free_slot_is_frozen_and_its_wait_answered_all_the_same() -> None:
    box = Box(limit=1)
    parent, child, request = blocked(box)
    box.tell(inputs.WorkedWhileWaiting(parent, 1))
    assert (box.agent(parent).frozen, box.turn.effects) == (Frozen.BUSY, [Freeze(parent, 1)])
    box.exit(child)
    assert (box.status(parent), box.agent(parent).waits) == (["running"], {})
    assert box.turn.effects == [Answer(request, (child,)), Thaw(parent, 1)]


def test_work_of_an_earlier_attempt_or_where_the_limit_is_lenient_is_no_news() -> None:
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


def test_a_wait_beside_another_is_answered_at_its_deadline_and_the_agent_goes_on_waiting() -> None:
    box = Box(limit=1)
    parent, child, request = blocked(box)
    other = box.wait(parent, child, timeout=5.0)
    box.sleep(5.0)
    assert box.replies() == {other: Answer(other, (child,), timed_out=True)}
    assert [type(event) for event in box.turn.events] == [events.WaitExpired, events.WaitEnded]
    assert list(box.agent(parent).waits) == [request]


def test_what_a_withheld_wait_was_for_is_tried_again() -> None:
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
