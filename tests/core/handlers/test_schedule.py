"""What follows from every input: waits that are over, agents that return, agents that may start."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from orchd.core import inputs
from orchd.core.admission.slots import overdrawn, working
from orchd.core.decide import next_deadline
from orchd.core.effects import Answer, Refuse, Terminate
from orchd.core.handlers.schedule import next_to_start
from orchd.core.state.agents import AgentId, Status, agent_id
from orchd.core.state.events import AgentCancelled, AgentReturned, AttemptAdmitted, KillBegan, StopBegan
from orchd.core.state.ready_queue import AGING_SECONDS, Queue, QueueKey, SortKey
from tests.core.box import Box, spec


def starts(box: Box) -> list[AgentId]:
    """The agents that were admitted in the last turn, in that order."""
    return [event.agent for event in box.events(AttemptAdmitted)]


def waiting_parent(box: Box, **fields: Any) -> tuple[AgentId, AgentId]:
    """A parent that waits for its only child."""
    parent = box.spawn("parent", **fields)
    child = box.spawn("child", caller=parent)
    box.wait(parent, child)
    return parent, child


def test_a_successor_starts_in_the_turn_in_which_a_place_is_given_back() -> None:
    box = Box(limit=1)
    first, second = box.batch(spec("a"), spec("b"))
    box.exit(first)
    assert box.status(first, second) == ["completed", "running"]


def test_a_place_is_kept_until_the_whole_tree_is_gone() -> None:
    box = Box(limit=1)
    first, second = box.batch(spec("a"), spec("b"))
    box.exit(first, is_tree_gone=False)
    assert box.status(first, second) == ["stopping", "queued"]
    box.tree_gone(first)
    assert box.status(first, second) == ["completed", "running"]


def test_children_are_finished_before_other_roots_begin() -> None:
    box = Box(limit=1)
    parent = box.spawn()
    other = box.spawn()
    child = box.spawn(caller=parent)
    box.wait(parent, child)
    assert starts(box) == [child]
    assert box.status(other) == ["queued"]


def test_priority_decides_among_equals() -> None:
    box = Box(limit=1)
    box.spawn()
    low, high = box.spawn(priority=-1), box.spawn(priority=1)
    box.exit(agent_id(1))
    assert (starts(box), box.status(low)) == ([high], ["queued"])


def test_who_returns_goes_before_who_is_new() -> None:
    box = Box(limit=1)
    parent, child = waiting_parent(box)
    urgent = box.spawn(priority=9)
    box.exit(child)
    assert box.status(parent, urgent) == ["running", "queued"]


def test_the_end_of_a_wait_is_withheld_until_there_is_a_place() -> None:
    box = Box(limit=2)
    parent, child = waiting_parent(box)
    box.spawn()
    box.limit(limit=1)
    box.exit(child)
    assert (box.replies(), box.status(parent)) == ({}, ["waiting"])
    box.exit(agent_id(3))
    assert [reply.agents for reply in box.replies().values() if isinstance(reply, Answer)] == [(child,)]
    assert box.status(parent) == ["running"]


def test_of_two_that_return_the_deeper_goes_first() -> None:
    box = Box(limit=1)
    blocker = box.spawn("blocker")
    box.limit(limit=3)
    parent = box.spawn("parent")
    child = box.spawn("child", caller=parent)
    box.wait(parent, blocker)
    box.wait(child, blocker)
    busy = box.spawn("busy")
    box.limit(limit=1)
    box.exit(blocker)
    assert box.status(parent, child) == ["waiting", "waiting"]
    box.exit(busy)
    assert box.status(parent, child) == ["waiting", "running"]


def test_a_wait_that_times_out_is_answered_when_there_is_a_slot_and_before_a_new_agent() -> None:
    box = Box(limit=1)
    parent = box.spawn(timeout=8.0)
    child = box.spawn(caller=parent)
    request = box.wait(parent, child, timeout=5.0)
    other = box.spawn()
    box.sleep(5.0)
    assert (box.replies(), box.status(parent), working(box.state)) == ({}, ["waiting"], 1)
    box.sleep(50.0)  # counts for no time-out
    box.exit(child)
    assert box.replies() == {request: Answer(request, (child,), timed_out=True)}
    assert box.status(parent, other) == ["running", "queued"]
    box.sleep(2.9)
    assert box.status(parent) == ["running"]
    box.sleep(0.1)
    assert box.status(parent) == ["stopping"]


def test_a_lenient_limit_lets_a_wait_that_times_out_be_over_at_once_and_overdraws() -> None:
    box = Box(limit=1)
    box.state.is_strict = False
    parent = box.spawn()
    child = box.spawn(caller=parent)
    request = box.wait(parent, child, timeout=5.0)
    other = box.spawn()
    box.sleep(5.0)
    assert box.replies() == {request: Answer(request, (child,), timed_out=True)}
    assert (working(box.state), overdrawn(box.state)) == (2, 1)
    box.exit(child)
    assert box.status(parent, other) == ["running", "queued"]
    box.exit(parent)
    assert box.status(other) == ["running"]


def test_a_withheld_end_of_a_wait_stays_withheld_when_its_time_is_up() -> None:
    box = Box(limit=2)
    parent = box.spawn()
    child = box.spawn(caller=parent)
    request = box.wait(parent, child, timeout=5.0)
    box.spawn()
    box.limit(limit=1)
    box.exit(child)
    assert box.status(parent) == ["waiting"]
    assert next_deadline(box.state) is None
    box.sleep(5.0)
    assert (box.replies(), box.status(parent), overdrawn(box.state)) == ({}, ["waiting"], 0)
    box.limit(limit=2)
    assert box.replies()[request] == Answer(request, (child,))


def test_a_wait_among_others_that_times_out_leaves_the_agent_waiting() -> None:
    box = Box(limit=1)
    parent, child = waiting_parent(box)
    request = box.wait(parent, child, timeout=5.0)
    box.sleep(5.0)
    assert (list(box.replies()), box.status(parent), working(box.state)) == ([request], ["waiting"], 1)


def test_no_agent_is_admitted_while_the_limit_is_overdrawn() -> None:
    box = Box(limit=3)
    box.batch(*(spec(f"n{number}") for number in range(4)))
    box.limit(limit=1)
    for number in (1, 2):
        box.exit(agent_id(number))
        assert starts(box) == []
    box.exit(agent_id(3))
    assert starts(box) == [agent_id(4)]


def test_the_resident_places_bound_the_living() -> None:
    box = Box(limit=2, resident=3)
    first, _ = waiting_parent(box, nesting=1)
    second = box.spawn()
    assert box.status(second) == ["running"]
    box.wait(second, agent_id(2))
    assert box.status(box.spawn()) == ["queued"]
    assert len(box.state.living) == box.state.resident
    assert box.status(first) == ["waiting"]


def test_what_is_not_safe_lets_others_pass() -> None:
    box = Box(limit=5, resident=3)
    _, deep, leaf = box.batch(spec("a", nesting=2), spec("b", nesting=2), spec("c"))
    assert box.status(deep, leaf) == ["queued", "running"]


def test_an_agent_that_has_waited_long_holds_back_what_no_agent_needs() -> None:
    box = Box(limit=5, resident=3)
    parent = box.spawn("parent", nesting=2)
    old = box.spawn("old", nesting=2)
    box.sleep(AGING_SECONDS + 1)
    other = box.spawn("other", nesting=1)
    assert box.status(old, other) == ["queued", "queued"]
    child = box.spawn("child", caller=parent, nesting=1)
    assert box.status(child) == ["running"]
    box.exit(child)
    box.exit(parent)
    assert box.status(old) == ["running"]


def test_no_agent_is_admitted_while_paused_and_running_agents_go_on() -> None:
    box = Box(limit=1)
    parent, child = waiting_parent(box)
    box.pause()
    other = box.spawn()
    box.exit(child)
    assert box.status(parent, other) == ["running", "queued"]
    box.exit(parent)
    assert (box.status(other), next_to_start(box.state, box.now)) == (["queued"], None)
    box.resume()
    assert box.status(other) == ["running"]


def test_on_the_way_out_only_what_the_living_need_starts() -> None:
    box = Box(limit=1)
    parent = box.spawn()
    agent_id = box.spawn("one")
    need = box.spawn("need", after=(agent_id,))
    child = box.spawn("child", caller=parent)
    stranger = box.spawn("stranger", priority=9)
    box.drain()
    box.wait(parent, child, need)
    for needed in (child, agent_id, need):
        assert (box.status(needed), box.status(stranger)) == (["running"], ["queued"])
        box.exit(needed)
    box.exit(parent)
    assert set(box.state.living) == set()
    assert box.status(stranger) == ["queued"]


def test_who_is_queued_is_cancelled_at_once() -> None:
    box = Box(limit=1)
    box.spawn()
    agent_id = box.spawn()
    box.cancel(agent_id)
    assert (box.status(agent_id), box.agent(agent_id).reason) == (["cancelled"], "cancelled")
    assert box.done(Terminate) == []


def test_who_runs_is_asked_to_end_and_holds_its_place_until_it_has() -> None:
    box = Box(limit=1)
    first, second = box.batch(spec("a"), spec("b"))
    box.cancel(first)
    assert box.done(Terminate) == [Terminate(first, 1)]
    assert box.status(first, second) == ["stopping", "queued"]
    box.exit(first, 143)
    assert box.status(first, second) == ["cancelled", "running"]


def test_cancelling_twice_is_cancelling() -> None:
    box = Box()
    agent_id = box.spawn()
    box.cancel(agent_id)
    box.cancel(agent_id, agent_id)
    assert (box.turn.events, box.done(Terminate)) == ([], [])


def test_what_was_ending_for_another_cause_is_cancelled_all_the_same() -> None:
    box = Box()
    agent_id = box.spawn(retries=3)
    box.exit(agent_id, 1, is_tree_gone=False)
    box.cancel(agent_id)
    assert (len(box.events(StopBegan)), box.done(Terminate)) == (1, [])
    box.tree_gone(agent_id)
    assert box.status(agent_id) == ["cancelled"]


def test_a_waiting_agent_that_is_cancelled_works_again_and_its_client_is_told() -> None:
    box = Box(limit=1)
    parent = box.spawn()
    child = box.spawn(caller=parent)
    request = box.wait(parent, child)
    box.cancel(parent)
    (refusal,) = box.done(Refuse)
    assert (refusal.request, refusal.code) == (request, "stopping")
    assert box.status(parent, child) == ["stopping", "stopping"]
    assert overdrawn(box.state) == 1


def test_everything_under_a_cancelled_agent_is_cancelled() -> None:
    box = Box(limit=2)
    root = box.spawn()
    child = box.spawn(caller=root)
    grandchild, after = box.batch(spec("a"), spec("b", after=(AgentId("a"),)), caller=child)
    box.cancel(root)
    assert box.status(root, child, grandchild, after) == ["stopping", "stopping", "cancelled", "cancelled"]
    assert box.agent(grandchild).reason == f"its parent {child} was cancelled"


def test_the_living_children_of_a_parent_that_failed_are_cancelled() -> None:
    box = Box(limit=2)
    parent = box.spawn()
    running, queued = box.batch(spec("a"), spec("b"), caller=parent)
    box.exit(parent, 1)
    assert box.status(parent, running, queued) == ["failed", "stopping", "cancelled"]
    assert box.agent(queued).reason == f"its parent {parent} did not complete"


def test_the_children_of_a_parent_that_completed_go_on() -> None:
    box = Box(limit=2)
    parent = box.spawn()
    running, queued = box.batch(spec("a"), spec("b"), caller=parent)
    box.exit(parent)
    assert box.status(parent, running, queued) == ["completed", "running", "running"]
    assert box.events(AgentCancelled) == []


@pytest.mark.parametrize("how", ["failed", "cancelled", "skipped"])
def test_what_comes_after_a_bad_end_is_skipped_and_what_comes_after_that(how: str) -> None:
    box = Box(limit=1)
    busy = box.spawn()
    if how == "skipped":
        blocker = box.spawn("blocker", after=(box.spawn("first", after=(busy,)),))
    else:
        blocker = box.spawn("blocker")
    second, third = box.batch(spec("two", after=(blocker,)), spec("three", after=(AgentId("two"),)))
    if how == "skipped":
        box.cancel(agent_id(2))
    elif how == "cancelled":
        box.cancel(blocker)
    else:
        box.exit(busy)
        box.exit(blocker, 1)
    assert box.status(blocker, second, third) == [how, "skipped", "skipped"]
    assert box.agent(second).reason == f"{blocker} did not complete: {how}"
    assert box.agent(third).reason == f"{second} did not complete: skipped"


def test_who_waits_for_what_is_skipped_returns() -> None:
    box = Box(limit=2)
    blocker, waiter = box.batch(spec("a"), spec("b"))
    box.wait(waiter, box.spawn(after=(blocker,)))
    box.exit(blocker, 1)
    assert len(box.events(AgentReturned)) == 1
    assert box.are(Status.RUNNING) == {waiter}


def test_several_that_return_share_the_places_there_are() -> None:
    box = Box(limit=3)
    blocker, first, second = box.batch(spec("a"), spec("b"), spec("c"))
    box.wait(first, blocker)
    box.wait(second, blocker)
    busy = box.spawn()
    box.limit(limit=2)
    box.tell(inputs.Tick())
    box.exit(blocker)
    assert box.status(first, second) == ["running", "waiting"]
    box.exit(busy)
    assert box.status(first, second) == ["running", "running"]


def test_an_end_while_the_daemon_drains_costs_no_look_at_all_that_is_queued(monkeypatch: pytest.MonkeyPatch) -> None:
    box = Box(limit=3)
    parent, *others = box.batch(*(spec(f"a{number}") for number in range(3)))
    box.batch(*(spec(f"q{number}", priority=1) for number in range(50)))
    children = box.batch(spec("child"), spec("second"), caller=parent)
    box.tell(inputs.Drain(box.request(), stop=False))

    def read(_: Queue, line: QueueKey) -> Iterator[SortKey]:
        raise AssertionError(f"all of {line} is read")

    monkeypatch.setattr(Queue, "tickets", read)
    box.exit(others[0])
    assert box.status(*children) == ["running", "queued"]
    box.cancel(parent)
    box.exit(others[1])
    assert len(box.are(Status.QUEUED)) == 50


def test_an_end_names_the_agent_that_caused_it_until_the_agent_is_tried_again() -> None:
    box = Box()
    parent = box.spawn()
    child = box.spawn(caller=parent)
    behind = box.spawn(after=(parent,))
    box.exit(parent, 1)
    assert (box.agent(child).because, box.agent(behind).because) == (parent, parent)
    box.retry(parent)
    box.retry(behind)
    assert box.agent(behind).because == ""


def test_a_kill_names_the_agent_that_caused_it() -> None:
    box = Box()
    parent = box.spawn()
    child = box.spawn(caller=parent, grace=4.0)
    box.exit(parent, 1)
    box.sleep(4.0)
    assert box.events(KillBegan) == [KillBegan(child, 1, parent)]
