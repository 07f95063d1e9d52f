"""Waiting for others: promised to end, or refused at once."""

from __future__ import annotations

from typing import Any

import pytest

from orchd.core import inputs
from orchd.core.effects import Answer, Refuse, WatchCaller
from orchd.core.state.agents import AgentId
from orchd.core.state.events import AgentPromoted, WaitBegan
from tests.core.box import Box, names, spec


def family(box: Box, children: int = 1, **fields: Any) -> tuple[AgentId, ...]:
    """A parent and its children."""
    parent = box.spawn("parent", **fields)
    return parent, *box.batch(*(spec(f"child-{number}") for number in range(children)), caller=parent)


def test_a_waiting_agent_releases_its_slot() -> None:
    box = Box(limit=1)
    parent, child = family(box)
    assert box.status(parent, child) == ["running", "queued"]
    request = box.wait(parent, child)
    assert box.status(parent, child) == ["waiting", "running"]
    assert box.replies() == {}
    assert box.done(WatchCaller) == [WatchCaller(parent, request)]


def test_a_wait_is_answered_when_its_last_target_has_ended() -> None:
    box = Box()
    parent, first, second = family(box, 2)
    request = box.wait(parent, first, second)
    box.exit(first)
    assert box.replies() == {}
    box.exit(second, 1)
    assert box.replies() == {request: Answer(request, (first, second))}
    assert box.status(parent) == ["running"]


def test_an_any_wait_is_answered_when_its_first_target_has_ended() -> None:
    box = Box()
    parent, first, second = family(box, 2)
    request = box.wait(parent, first, second, is_any=True)
    assert box.status(parent) == ["waiting"]
    box.exit(second)
    assert list(box.replies()) == [request]


@pytest.mark.parametrize("is_any", [True, False])
def test_a_wait_for_a_finished_agent_is_answered_at_once(is_any: bool) -> None:
    box = Box()
    parent, child = family(box)
    box.exit(child)
    request = box.wait(parent, child, is_any=is_any)
    assert box.replies() == {request: Answer(request, (child,))}
    assert box.turn.events == []


@pytest.mark.parametrize("is_any", [True, False])
def test_a_wait_for_no_agent_is_answered_at_once(is_any: bool) -> None:
    box = Box()
    parent = box.spawn()
    request = box.wait(parent, is_any=is_any)
    assert box.replies() == {request: Answer(request, ())}


def test_a_wait_with_zero_timeout_is_answered_at_once() -> None:
    box = Box()
    parent, child = family(box)
    request = box.wait(parent, child, timeout=0)
    assert box.replies() == {request: Answer(request, (child,), timed_out=True)}
    assert box.status(parent) == ["running"]


def test_a_repeated_wait_request_continues_the_same_wait() -> None:
    box = Box()
    parent, child = family(box)
    begin = inputs.BeginWait(box.request(), parent, (child,), is_any=False, timeout=50.0, caller=9, caller_started=1.0)
    box.tell(begin)
    deadline = box.agent(parent).waits[begin.request].deadline
    box.now += 10
    box.tell(begin)
    assert (box.turn.events, box.turn.effects) == ([], [WatchCaller(parent, begin.request)])
    assert box.agent(parent).waits[begin.request].deadline == deadline == box.now + 40.0


def test_a_repeated_request_after_its_wait_ended_is_answered_at_once() -> None:
    box = Box()
    parent, child = family(box)
    begin = inputs.BeginWait(box.request(), parent, (child,), is_any=False, timeout=None, caller=9, caller_started=1.0)
    box.tell(begin)
    box.exit(child)
    box.tell(begin)
    assert list(box.replies()) == [begin.request]


def test_an_agent_may_have_two_waits_at_once() -> None:
    box = Box(limit=3)
    parent, first, second = family(box, 2)
    first_wait, second_wait = box.wait(parent, first), box.wait(parent, second)
    box.exit(first)
    assert (list(box.replies()), box.status(parent)) == ([first_wait], ["waiting"])
    box.exit(second)
    assert (list(box.replies()), box.status(parent)) == ([second_wait], ["running"])


@pytest.mark.parametrize("end", ["stopping", "over"])
def test_a_stopping_or_finished_agent_cannot_wait(end: str) -> None:
    box = Box()
    other, parent = box.spawn(), box.spawn()
    if end == "stopping":
        box.cancel(parent)
    else:
        box.exit(parent)
    box.wait(parent, other)
    assert box.refusal() == "stopping"


def test_a_wait_that_closes_a_cycle_is_refused_with_its_path() -> None:
    box = Box()
    parent, child = family(box)
    queued = box.spawn("queued", after=(parent,))
    box.wait(child, queued)
    box.wait(parent, child)
    (refusal,) = box.done(Refuse)
    assert (refusal.code, refusal.details) == ("cycle", {"path": [parent, child, queued, parent]})
    assert f"{parent} -> {child} -> {queued} -> {parent}" in refusal.message
    assert box.status(parent) == ["running"]


def test_no_agent_waits_for_itself() -> None:
    box = Box()
    agent_id = box.spawn()
    box.wait(agent_id, agent_id)
    assert box.refusal() == "cycle"


def test_an_undeclared_waiter_is_promoted_with_agents_that_wait_for_it() -> None:
    box = Box()
    parent, child = family(box)
    grandchild = box.spawn(caller=child)
    box.wait(parent, child)
    assert [box.agent(agent_id).claim for agent_id in (parent, child)] == [1, 0]
    box.wait(child, grandchild)
    assert [box.agent(agent_id).claim for agent_id in (parent, child)] == [2, 1]
    assert names(box.turn.events) == ["AgentPromoted", "AgentPromoted", "WaitBegan"]


def test_declared_nesting_needs_no_promotion() -> None:
    box = Box()
    parent, child = family(box, nesting=1)
    box.wait(parent, child)
    assert box.events(AgentPromoted) == []
    assert len(box.events(WaitBegan)) == 1


def test_a_wait_that_could_deadlock_is_refused_with_the_claim_holders() -> None:
    box = Box(limit=2, resident=2)
    first, second = box.batch(spec("a"), spec("b"))
    box.wait(first, box.spawn(caller=first))
    box.wait(second, box.spawn(caller=second))
    (refusal,) = box.done(Refuse)
    assert refusal.code == "would-deadlock"
    assert refusal.details == {"needed": {second: 1}, "holders": {first: 1}, "resident": 2}
    assert "--nesting 1" in refusal.message
    assert box.status(second) == ["running"]


def test_a_wait_deeper_than_the_resident_slots_is_refused() -> None:
    box = Box(limit=1, resident=1)
    parent, child = family(box)
    box.wait(parent, child)
    assert box.refusal() == "would-deadlock"
    box.limit(resident=2)
    box.wait(parent, child)
    assert box.status(parent, child) == ["waiting", "running"]


def test_a_wait_is_refused_when_agents_behind_the_waiter_could_not_end() -> None:
    box = Box(limit=1, resident=2)
    parent, child = family(box)
    box.wait(parent, child)
    box.batch(spec(), caller=child)
    box.wait(child, *box.state.children[child])
    (refusal,) = box.done(Refuse)
    assert (refusal.code, refusal.details["needed"]) == ("would-deadlock", {parent: 2, child: 1})
