"""What follows from every input: waits that are over, agents that return, agents that may start."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from orchd.core import inputs
from orchd.core.admission.slots import overdrawn, working
from orchd.core.decide import decide, next_deadline
from orchd.core.effects import Answer, CheckOutput, Refuse, Terminate
from orchd.core.handlers.schedule import next_to_start
from orchd.core.state.agents import AgentId, Instant, Outcome, Status, agent_id
from orchd.core.state.events import AgentCancelled, AgentReturned, AttemptAdmitted, KillBegan, StopBegan
from orchd.core.state.ready_queue import AGING_SECONDS, Queue, QueueKey, SortKey
from orchd.core.turn import Turn
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


def test_a_queued_agent_starts_in_the_turn_in_which_a_slot_is_released() -> None:
    box = Box(limit=1)
    first, second = box.batch(spec("a"), spec("b"))
    box.exit(first)
    assert box.status(first, second) == ["completed", "running"]


def test_a_slot_is_held_until_the_whole_process_tree_is_gone() -> None:
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


def test_a_returning_agent_precedes_a_new_agent() -> None:
    box = Box(limit=1)
    parent, child = waiting_parent(box)
    urgent = box.spawn(priority=9)
    box.exit(child)
    assert box.status(parent, urgent) == ["running", "queued"]


def test_the_reply_of_a_wait_is_withheld_until_a_slot_is_free() -> None:
    box = Box(limit=2)
    parent, child = waiting_parent(box)
    box.spawn()
    box.limit(limit=1)
    box.exit(child)
    assert (box.replies(), box.status(parent)) == ({}, ["waiting"])
    box.exit(agent_id(3))
    assert [reply.agents for reply in box.replies().values() if isinstance(reply, Answer)] == [(child,)]
    assert box.status(parent) == ["running"]


def test_the_deeper_of_two_returning_agents_returns_first() -> None:
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


def test_a_timed_out_wait_is_answered_in_a_free_slot_before_new_agents() -> None:
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


def test_a_lenient_limit_answers_a_timed_out_wait_at_once_and_overdraws() -> None:
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


def test_a_withheld_reply_stays_withheld_at_its_deadline() -> None:
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


def test_the_resident_limit_bounds_the_active_agents() -> None:
    box = Box(limit=2, resident=3)
    first, _ = waiting_parent(box, nesting=1)
    second = box.spawn()
    assert box.status(second) == ["running"]
    box.wait(second, agent_id(2))
    assert box.status(box.spawn()) == ["queued"]
    assert len(box.state.living) == box.state.resident
    assert box.status(first) == ["waiting"]


def test_an_unsafe_agent_lets_other_agents_pass() -> None:
    box = Box(limit=5, resident=3)
    _, deep, leaf = box.batch(spec("a", nesting=2), spec("b", nesting=2), spec("c"))
    assert box.status(deep, leaf) == ["queued", "running"]


def test_a_long_queued_agent_holds_back_agents_that_no_agent_needs() -> None:
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


def test_a_pause_admits_no_agent_and_running_agents_continue() -> None:
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


def test_a_draining_daemon_starts_only_agents_that_active_agents_need() -> None:
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


def test_a_queued_agent_is_cancelled_at_once() -> None:
    box = Box(limit=1)
    box.spawn()
    agent_id = box.spawn()
    box.cancel(agent_id)
    assert (box.status(agent_id), box.agent(agent_id).reason) == (["cancelled"], "cancelled")
    assert box.done(Terminate) == []


def test_a_cancelled_running_agent_holds_its_slot_until_it_exits() -> None:
    box = Box(limit=1)
    first, second = box.batch(spec("a"), spec("b"))
    box.cancel(first)
    assert box.done(Terminate) == [Terminate(first, 1)]
    assert box.status(first, second) == ["stopping", "queued"]
    box.exit(first, 143)
    assert box.status(first, second) == ["cancelled", "running"]


def test_a_second_cancel_changes_nothing() -> None:
    box = Box()
    agent_id = box.spawn()
    box.cancel(agent_id)
    box.cancel(agent_id, agent_id)
    assert (box.turn.events, box.done(Terminate)) == ([], [])


def test_an_agent_already_stopping_for_another_cause_is_cancelled() -> None:
    box = Box()
    agent_id = box.spawn(retries=3)
    box.exit(agent_id, 1, is_tree_gone=False)
    box.cancel(agent_id)
    assert (len(box.events(StopBegan)), box.done(Terminate)) == (1, [])
    box.tree_gone(agent_id)
    assert box.status(agent_id) == ["cancelled"]


def test_a_cancelled_waiting_agent_works_again_and_its_wait_is_refused() -> None:
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


def test_unfinished_children_of_a_failed_parent_are_cancelled() -> None:
    box = Box(limit=2)
    parent = box.spawn()
    running, queued = box.batch(spec("a"), spec("b"), caller=parent)
    box.exit(parent, 1)
    assert box.status(parent, running, queued) == ["failed", "stopping", "cancelled"]
    assert box.agent(queued).reason == f"its parent {parent} did not complete"


def test_the_children_of_a_completed_parent_continue() -> None:
    box = Box(limit=2)
    parent = box.spawn()
    running, queued = box.batch(spec("a"), spec("b"), caller=parent)
    box.exit(parent)
    assert box.status(parent, running, queued) == ["completed", "running", "running"]
    assert box.events(AgentCancelled) == []


@pytest.mark.parametrize("how", ["failed", "cancelled", "skipped"])
def test_direct_and_indirect_dependents_of_an_incomplete_agent_are_skipped(how: str) -> None:
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


def test_an_agent_that_waits_for_a_skipped_agent_returns() -> None:
    box = Box(limit=2)
    blocker, waiter = box.batch(spec("a"), spec("b"))
    box.wait(waiter, box.spawn(after=(blocker,)))
    box.exit(blocker, 1)
    assert len(box.events(AgentReturned)) == 1
    assert box.are(Status.RUNNING) == {waiter}


def test_several_returning_agents_share_the_free_slots() -> None:
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


def test_an_agent_end_while_draining_does_not_scan_the_whole_queue(monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_an_end_names_its_causing_agent_until_the_ended_agent_is_retried() -> None:
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


def test_nothing_starts_beyond_the_resident_slots_while_no_agent_works() -> None:
    box = Box(limit=1, resident=1)
    paused = box.spawn("paused")
    box.pause_agents(paused, release=True)
    other = box.spawn("other")
    assert box.status(paused, other) == ["waiting", "queued"]
    box.limit(resident=2)
    assert box.status(paused, other) == ["waiting", "running"]


def test_dependents_of_an_agent_retried_in_the_same_turn_are_not_skipped() -> None:
    box = Box(limit=1)
    first = box.spawn("first", silence=5.0)
    dependent = box.spawn("dependent", after=(first,))
    box.now += 6.0
    turn = Turn(box.state, Instant(box.now, box.now))
    decide(turn, inputs.Tick())
    assert turn.questions == [CheckOutput(first, 1)]  # consequences are drawn when its answer is there
    decide(turn, inputs.Exited(first, 1, Outcome(1), is_tree_gone=True))
    assert box.status(first, dependent) == ["failed", "queued"]
    decide(turn, inputs.Retry(box.request(), (first,), ("e",)))
    turn.questions.clear()
    decide(turn, inputs.OutputSeen(first, 1, 6.0))
    assert box.status(first, dependent) == ["starting", "queued"]
