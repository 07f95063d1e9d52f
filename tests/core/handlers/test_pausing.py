"""Agents that are paused and resumed, in every status."""

from __future__ import annotations

import pytest

from orchd.core import inputs
from orchd.core.admission.reasons import position, reason, why_queued
from orchd.core.admission.slots import working
from orchd.core.admission.why import why
from orchd.core.decide import next_deadline
from orchd.core.effects import Answer, Freeze, Refuse, Terminate, Thaw
from orchd.core.handlers.stalls import is_stalled
from orchd.core.state import events
from orchd.core.state.agents import Frozen, Status, StopReason
from tests.core.box import Box, spec


def test_a_running_agent_is_frozen_and_keeps_its_slot() -> None:
    box = Box(limit=1)
    first, second = box.spawn("one"), box.spawn("other")
    box.pause_agents(first)
    assert box.done(Freeze) == [Freeze(first, 1)]
    assert (box.agent(first).shown_status, box.agent(first).status) == ("paused", Status.RUNNING)
    assert (working(box.state), box.status(second)) == (1, ["queued"])
    box.resume_agents(first)
    assert box.done(Thaw) == [Thaw(first, 1)]
    assert box.agent(first).shown_status == "running"


def test_a_paused_agent_releases_its_slot_on_request_and_resumes_in_a_slot() -> None:
    box = Box(limit=1)
    first, second = box.spawn("one"), box.spawn("other")
    box.pause_agents(first, release=True)
    assert box.status(first, second) == ["waiting", "running"]
    assert (box.agent(first).frozen, box.agent(first).shown_status) == (Frozen.PAUSED, "paused")
    box.resume_agents(first)
    assert (box.done(Thaw), box.agent(first).shown_status) == ([], "waiting")
    assert str(reason(box.state, box.agent(first), box.now)).startswith("waits for a slot")
    box.exit(second)
    assert (box.done(Thaw), box.status(first)) == ([Thaw(first, 1)], ["running"])


def test_a_paused_agent_may_release_its_kept_slot_later() -> None:
    box = Box(limit=1)
    first, second = box.spawn("one"), box.spawn("other")
    box.pause_agents(first)
    box.pause_agents(first)
    assert box.turn.events == []
    box.pause_agents(first, release=True)
    assert box.status(first, second) == ["waiting", "running"]
    box.pause_agents(first)
    assert box.turn.events == []


def test_a_queued_agent_is_held_until_it_is_resumed() -> None:
    box = Box(limit=1)
    busy, paused, other = box.spawn("busy"), box.spawn("one"), box.spawn("other")
    box.pause_agents(paused)
    assert box.done(Freeze) == []
    assert (box.agent(paused).shown_status, position(box.state, box.agent(paused))) == ("queued", None)
    hold = why_queued(box.state, box.agent(paused), box.now)
    assert (hold.rule.value, hold.sentence) == ("held", f"it is paused; `orchctl resume {paused}` lets it start")
    assert why(box.state, box.agent(paused), box.now, box.state.agents.get).way_out == f"`orchctl resume {paused}`"
    box.exit(busy)
    assert box.status(paused, other) == ["queued", "running"]
    box.exit(other)
    assert box.status(paused) == ["queued"]
    box.resume_agents(paused)
    assert box.status(paused) == ["running"]


def test_a_held_agent_starts_neither_after_its_blocker_nor_at_its_retry() -> None:
    box = Box()
    first = box.spawn("first")
    agent_id = box.spawn("one", after=(first,))
    again = box.spawn("again", retries=1)
    box.exit(again, 1)
    box.pause_agents(agent_id, again)
    box.exit(first)
    box.sleep(100.0)
    assert box.status(agent_id, again) == ["queued", "queued"]
    box.resume_agents(agent_id, again)
    assert box.status(agent_id, again) == ["running", "running"]


def test_a_held_agent_is_skipped_like_any_other_agent() -> None:
    box = Box()
    first = box.spawn("first")
    agent_id = box.spawn("one", after=(first,))
    box.pause_agents(agent_id)
    box.exit(first, 1)
    assert (box.status(agent_id), box.agent(agent_id).is_paused) == (["skipped"], False)


def test_a_waiting_agent_is_frozen_and_its_reply_withheld_until_it_is_resumed() -> None:
    box = Box()
    agent_id, child = box.batch(spec("one"), spec("child"))
    request = box.wait(agent_id, child)
    box.pause_agents(agent_id)
    assert box.done(Freeze) == [Freeze(agent_id, 1)]
    assert (
        reason(box.state, box.agent(agent_id), box.now) == f"it holds no slot; `orchctl resume {agent_id}` continues it"
    )
    box.exit(child)
    assert (box.status(agent_id), box.replies()) == (["waiting"], {})
    box.resume_agents(agent_id)
    assert box.done(Thaw) == [Thaw(agent_id, 1)]
    assert (box.status(agent_id), request in box.replies()) == (["running"], True)


def test_a_waiting_agent_resumed_before_its_wait_ends_keeps_waiting() -> None:
    box = Box()
    agent_id, child = box.batch(spec("one", timeout=50.0), spec("child"))
    box.wait(agent_id, child)
    box.sleep(10.0)
    box.pause_agents(agent_id)
    box.sleep(1000.0)
    box.resume_agents(agent_id)
    assert (box.status(agent_id), box.agent(agent_id).held_since) == (["waiting"], None)
    box.sleep(39.0)
    assert box.status(agent_id) == ["waiting"]
    box.sleep(1.0)
    assert box.agent(agent_id).cause is StopReason.TIMEOUT


def test_the_wait_of_a_paused_agent_ends_with_its_client_and_the_agent_stays_frozen() -> None:
    box = Box()
    agent_id, child = box.batch(spec("one"), spec("child"))
    request = box.wait(agent_id, child)
    box.pause_agents(agent_id)
    box.tell(inputs.CallerGone(agent_id, request))
    assert (box.status(agent_id), box.agent(agent_id).frozen) == (["waiting"], Frozen.WAIT_CUT)
    box.resume_agents(agent_id)
    assert box.status(agent_id) == ["running"]


def test_a_wait_request_in_flight_leaves_a_paused_agent_frozen() -> None:
    box = Box(limit=1)
    agent_id, child = box.spawn("one"), box.spawn("child")
    box.pause_agents(agent_id)
    box.wait(agent_id, child)
    assert (box.done(Thaw), box.status(agent_id, child)) == ([], ["waiting", "running"])
    assert box.agent(agent_id).shown_status == "paused"
    box.exit(child)
    assert box.status(agent_id) == ["waiting"]
    box.resume_agents(agent_id)
    assert (box.done(Thaw), box.status(agent_id)) == ([Thaw(agent_id, 1)], ["running"])


def test_a_frozen_agent_that_is_paused_does_not_return_before_it_is_resumed() -> None:
    box = Box(limit=1)
    agent_id, child = box.spawn("one"), box.spawn("child")
    request = box.wait(agent_id, child)
    box.tell(inputs.CallerGone(agent_id, request))
    assert box.agent(agent_id).frozen is Frozen.WAIT_CUT
    box.pause_agents(agent_id)
    box.exit(child)
    assert (box.status(agent_id), box.done(Thaw)) == (["waiting"], [])
    box.resume_agents(agent_id)
    assert (box.status(agent_id), box.done(Thaw)) == (["running"], [Thaw(agent_id, 1)])


@pytest.mark.parametrize("release", [False, True], ids=["kept", "released"])
def test_paused_time_counts_for_no_time_out(release: bool) -> None:
    box = Box(limit=1)
    agent_id = box.spawn("one", timeout=20.0, silence=15.0)
    box.sleep(10.0)
    box.quiet[agent_id] = 0.0
    box.pause_agents(agent_id, release=release)
    assert next_deadline(box.state) is None
    box.sleep(1000.0)
    assert box.agent(agent_id).cause is None
    box.resume_agents(agent_id)
    assert box.agent(agent_id).heard == box.now
    box.sleep(9.0)
    assert box.agent(agent_id).cause is None
    box.sleep(1.0)
    assert box.agent(agent_id).cause is StopReason.TIMEOUT


@pytest.mark.parametrize("release", [False, True], ids=["kept", "released"])
def test_a_paused_agent_is_ended_like_any_other(release: bool) -> None:
    box = Box()
    agent_id = box.spawn("one")
    box.pause_agents(agent_id, release=release)
    box.cancel(agent_id)
    assert box.done(Terminate) == [Terminate(agent_id, 1)]
    assert (box.agent(agent_id).is_paused, box.agent(agent_id).kill_at) == (False, box.now + 10.0)
    box.exit(agent_id, 143)
    assert box.status(agent_id) == ["cancelled"]


def test_a_paused_agent_that_ends_is_queued_for_retry_and_not_paused() -> None:
    box = Box()
    agent_id = box.spawn("one", retries=1)
    box.pause_agents(agent_id)
    box.exit(agent_id, 137)
    assert (box.status(agent_id), box.agent(agent_id).is_paused) == (["queued"], False)


def test_the_next_daemon_freezes_a_paused_agent_again() -> None:
    box = Box()
    agent_id = box.spawn("one")
    box.pause_agents(agent_id)
    box.tell(inputs.Adopted(agent_id, 1))
    assert (box.done(Freeze), box.done(Thaw)) == ([Freeze(agent_id, 1)], [])


def test_an_attempt_that_never_ran_is_held_in_the_queue() -> None:
    box = Box()
    agent_id = box.spawn("one")
    box.pause_agents(agent_id)
    box.tell(inputs.NeverRan(agent_id, 1))
    assert (box.status(agent_id), box.agent(agent_id).is_paused, box.agent(agent_id).held_since) == (
        ["queued"],
        True,
        None,
    )
    box.resume_agents(agent_id)
    assert box.status(agent_id) == ["running"]


@pytest.mark.parametrize("code", [0, 1])
def test_pause_and_resume_are_refused_entirely_for_a_finished_agent(code: int) -> None:
    box = Box()
    first, second = box.batch(spec("one"), spec("other"))
    box.wait(second, first)
    request = inputs.PauseAgents(box.request(), (second, first))
    ended = box.agent(first)
    box.exit(first, code)
    box.state.agents[first] = ended
    box.tell(request)
    (refusal,) = box.done(Refuse)
    word = "failed" if code else "completed"
    assert (refusal.code, box.agent(second).is_paused) == ("cannot-pause", False)
    assert refusal.message == f"{first} is {word} and cannot be paused; only unfinished agents can"
    box.resume_agents(first)
    assert box.refusal() == "cannot-resume"


def test_a_stopping_agent_cannot_be_paused() -> None:
    box = Box()
    agent_id = box.spawn("one")
    box.cancel(agent_id)
    box.pause_agents(agent_id)
    assert box.refusal() == "cannot-pause"


def test_resuming_an_agent_that_is_not_paused_changes_nothing() -> None:
    box = Box()
    agent_id = box.spawn("one")
    box.resume_agents(agent_id, agent_id)
    assert (box.turn.events, len(box.done(Answer))) == ([], 1)


def test_a_queued_agent_reports_paused_agents_that_keep_their_slots() -> None:
    box = Box(limit=1)
    first, second = box.spawn("one"), box.spawn("other")
    box.pause_agents(first)
    answer = why(box.state, box.agent(second), box.now, box.state.agents.get)
    assert answer.sentence == f"1 of 1 slots are in use, 1 of them by paused agents: {first}"
    assert answer.way_out == f"wait for one of them to end, or run `orchctl resume {first}` or `orchctl limit 2`"


def test_a_paused_agent_is_no_part_of_a_stall_and_lends_no_slot() -> None:
    box = Box(limit=2)
    polls, paused = box.spawn("polls"), box.spawn("paused")
    child, below = box.spawn("child", caller=polls), box.spawn("below", caller=paused)
    box.pause_agents(paused)
    assert is_stalled(box.state, box.now)
    box.sleep(30.0)
    assert (box.agent(polls).lent_to, box.agent(paused).frozen, box.status(below)) == (child, None, ["queued"])
    assert box.status(child) == ["running"]


def test_a_paused_agent_that_depends_on_no_other_hides_no_stall() -> None:
    box = Box(limit=2)
    polls, paused = box.spawn("polls"), box.spawn("paused")
    child = box.spawn("child", caller=polls)
    box.pause_agents(paused)
    box.sleep(30.0)
    assert (box.agent(polls).lent_to, box.status(child)) == (child, ["running"])


def test_there_is_no_stall_where_every_agent_at_work_is_paused() -> None:
    box = Box(limit=1)
    parent = box.spawn("parent")
    child = box.spawn("child", caller=parent)
    box.pause_agents(parent)
    box.sleep(60.0)
    assert (box.status(child), box.events(events.StallBegan)) == (["queued"], [])


def test_a_held_agent_is_no_reason_to_lend_a_slot() -> None:
    box = Box(limit=1)
    parent = box.spawn("parent")
    child = box.spawn("child", caller=parent)
    box.spawn("other")
    box.pause_agents(child)
    box.sleep(60.0)
    assert (box.agent(parent).frozen, is_stalled(box.state, box.now)) == (None, False)


def test_a_paused_lender_awaits_resume_and_a_paused_borrower_is_no_stall() -> None:
    box = Box(limit=1)
    parent = box.spawn("parent")
    child = box.spawn("child", caller=parent)
    box.sleep(30.0)
    assert box.agent(parent).lent_to == child
    box.pause_agents(parent, child)
    box.tell(inputs.StoodStill(frozenset({(child, 1)})))
    assert (box.state.standing, box.events(events.StallBegan)) == (frozenset(), [])
    box.limit(limit=2)
    assert box.status(parent) == ["waiting"]
    box.resume_agents(child)
    box.exit(child)
    assert box.status(parent) == ["waiting"]
    box.resume_agents(parent)
    assert box.status(parent) == ["running"]


def test_pausing_an_agent_without_progress_ends_its_stall() -> None:
    box = Box(limit=1)
    waiter, child = box.spawn("waiter"), box.spawn("child")
    request = box.wait(waiter, child)
    box.tell(inputs.CallerGone(waiter, request))
    box.tell(inputs.StoodStill(frozenset({(child, 1)})))
    assert box.events(events.StallBegan)
    box.pause_agents(child)
    assert box.events(events.StallEnded)
