"""Mutants that no other test noticed (docs/internals/mutation.md): each of these kills one mutant or more."""

from __future__ import annotations

from orchd.core.admission.blocking import why_blocked
from orchd.core.admission.wait_graph import claims_needed, cycle_from, needed, path_to
from orchd.core.decide import next_deadline
from orchd.core.effects import Answer, Refuse
from orchd.core.inputs import (
    BeginRun,
    CloseSession,
    DiskSpaceChanged,
    Exited,
    NeverRan,
    OpenSession,
    OutputSeen,
    Part,
    Scope,
    SetBudget,
    Spawned,
)
from orchd.core.state.agents import AgentId, Outcome, Report, StopReason
from orchd.core.state.events import AgentCancelled, AgentHeard, AttemptDeferred, RunnerLimited, WaitEnded
from orchd.core.state.indexes import forget
from orchd.core.state.ready_queue import QueueKey
from orchd.core.state.runs import GroupPlan, RunPlan
from orchd.core.state.sessions import SessionId
from orchd.core.state.spending import Budget
from tests.core.box import WALL, Box, spec


def end(box: Box, agent_id: AgentId, report: Report, code: int = 75) -> None:
    """An attempt ends by itself, of which its runner says something."""
    box.tell(Exited(agent_id, box.agent(agent_id).attempt, Outcome(code, report=report), is_tree_gone=True))


# Ends, and what is said of them.


def test_the_reason_in_a_runner_report_becomes_the_reason_of_the_agent() -> None:
    box = Box()
    agent_id = box.spawn()
    end(box, agent_id, Report(reason="ran out of turns"), 1)
    assert box.agent(agent_id).reason == "ran out of turns"


def test_only_an_attempt_that_its_runner_ended_itself_is_rate_limited() -> None:
    box = Box()
    plain, late = box.spawn("plain"), box.spawn("late", runner="claude", timeout=5.0)
    report = Report(limited_until=WALL + box.now + 60.0)
    end(box, plain, report)
    box.sleep(6.0)
    end(box, late, report)
    assert box.status(plain, late) == ["failed", "timed-out"]


def test_a_deferred_attempt_records_reason_and_time_and_the_limit_once() -> None:
    box = Box()
    first, second = box.spawn("first", runner="claude"), box.spawn("second", runner="claude")
    report = Report(limited_until=WALL + box.now + 60.0)
    end(box, first, report)
    assert box.events(AttemptDeferred) == [AttemptDeferred(first, 1, "claude was rate-limited")]
    assert (box.agent(first).reason, box.agent(first).ended_at) == (
        "claude was rate-limited",
        WALL + box.now,
    )
    end(box, second, report)
    assert box.events(RunnerLimited) == []


def test_an_agent_cancelled_while_stopping_ends_as_cancelled() -> None:
    box = Box()
    agent_id = box.spawn()
    box.exit(agent_id, 0, is_tree_gone=False)
    box.cancel(agent_id)
    assert (box.agent(agent_id).cause, box.agent(agent_id).reason) == (StopReason.CANCELLED, "cancelled")
    box.tell(NeverRan(agent_id, 1))
    assert box.events(AgentCancelled) == [AgentCancelled(agent_id, "cancelled")]


def test_an_attempt_records_its_pid_and_cgroup() -> None:
    box = Box(limit=0)
    agent_id = box.spawn()
    box.state.limit = 1
    box._reply = lambda question: Spawned(agent_id, 1, 7, "/sys/fs/cgroup/x")  # type: ignore[method-assign]
    box.sleep(0.0)
    assert (box.agent(agent_id).pid, box.agent(agent_id).cgroup) == (7, "/sys/fs/cgroup/x")


def test_a_child_that_never_ran_is_cancelled_with_its_original_reason() -> None:
    box = Box()
    parent = box.spawn()
    child = box.spawn(caller=parent)
    box.cancel(parent)
    box.tell(NeverRan(child, 1))
    assert box.events(AgentCancelled) == [AgentCancelled(child, f"its parent {parent} was cancelled", parent)]


# Time and room.


def test_output_older_than_the_last_recorded_output_emits_no_event() -> None:
    box = Box()
    agent_id = box.spawn(silence=50.0)
    for ago in (0.0, 5.0):
        box.tell(OutputSeen(agent_id, 1, ago))
        assert box.events(AgentHeard) == []
    box.now += 10.0
    box.tell(OutputSeen(agent_id, 1, 5.0))
    assert box.agent(agent_id).heard == box.now - 5.0
    box.tell(OutputSeen(agent_id, 1, 5.0))
    assert box.events(AgentHeard) == []


def test_output_of_a_waiting_agent_emits_no_event() -> None:
    box = Box()
    parent = box.spawn(silence=50.0)
    child = box.spawn(caller=parent)
    box.wait(parent, child)
    box.now += 10.0
    box.tell(OutputSeen(parent, 1, 1.0))
    assert box.events(AgentHeard) == []


def test_a_stopping_agent_does_not_hide_the_deadline_of_another_agent() -> None:
    box = Box()
    first, _ = box.spawn(grace=100.0), box.spawn(timeout=5.0)
    box.cancel(first)
    assert next_deadline(box.state) == box.now + 5.0


def test_free_space_equal_to_the_minimum_causes_no_disk_pressure() -> None:
    box = Box()
    box.tell(DiskSpaceChanged(100, 100))
    assert not box.state.has_disk_pressure
    box.tell(DiskSpaceChanged(99, 100))
    assert box.state.has_disk_pressure


# Waits.


def test_the_first_of_two_waits_ends_while_its_agent_keeps_waiting() -> None:
    box = Box(limit=1)
    parent = box.spawn()
    first, second = box.batch(spec("first"), spec("second"), caller=parent)
    requests = box.wait(parent, first), box.wait(parent, second)
    box.exit(first)
    assert box.events(WaitEnded) == [WaitEnded(parent, requests[0])]
    assert [reply.request for reply in box.done(Answer)] == [requests[0]]
    assert box.status(parent, second) == ["waiting", "running"]


def test_the_first_of_two_waits_ends_while_no_slot_is_free() -> None:
    box = Box(limit=2)
    parent = box.spawn()
    first, second, third = box.batch(spec("first"), spec("second"), spec("third"), caller=parent)
    requests = box.wait(parent, first), box.wait(parent, third)
    box.limit(limit=1)
    box.exit(first)
    assert box.events(WaitEnded) == [WaitEnded(parent, requests[0])]
    assert box.status(parent, second, third) == ["waiting", "running", "queued"]


def test_a_wait_with_timeout_zero_is_answered_at_once() -> None:
    box = Box()
    parent = box.spawn()
    child = box.spawn(caller=parent)
    box.wait(parent, child, timeout=0)
    assert [reply.timed_out for reply in box.done(Answer)] == [True]
    request = box.wait(parent, child, timeout=1)
    assert box.done(Answer) == []
    wait = box.agent(parent).waits[request]
    assert (wait.caller, wait.caller_started) == (9, 1.0)


def test_a_would_deadlock_refusal_names_the_holders_and_their_claims() -> None:
    box = Box(limit=3, resident=3)
    first, second = box.spawn("first"), box.spawn("second")
    first_child, second_child, _ = box.spawn("one", caller=first), box.spawn("two", caller=second), box.spawn("plain")
    box.state.resident = 2
    box.wait(first, first_child)
    box.wait(second, second_child)
    (refusal,) = box.done(Refuse)
    assert refusal.code == "would-deadlock"
    assert refusal.details["holders"] == {first: 1}


def test_needed_agents_include_wait_targets_and_their_blockers() -> None:
    box = Box(limit=2)
    first, second = box.spawn("first"), box.spawn("second")
    first_target, second_target = box.spawn("one"), box.spawn("two")
    late = box.spawn("late", after=(first_target,))
    box.wait(first, late)
    box.wait(second, second_target)
    assert {first_target, second_target, late} <= needed(box.state)


# What people are told.


def said(box: Box) -> str:
    """The words of the last turn's only refusal."""
    (refusal,) = box.done(Refuse)
    return str(refusal.message)


def test_replies_to_session_requests_carry_the_session_id() -> None:
    box = Box()
    box.tell(OpenSession(box.request(), Scope("/project"), None, Budget()))
    session = SessionId("session-001")
    for request in (SetBudget(box.request(), session, Budget(tokens=1)), CloseSession(box.request(), session)):
        box.tell(request)
        assert [reply.subject for reply in box.done(Answer)] == [session]


def test_why_blocked_returns_the_rule_and_its_scope() -> None:
    box = Box()
    box.tell(OpenSession(box.request(), Scope("/project"), None, Budget(tokens=0)))
    box.batch(spec("one"), scope=Scope("/project"))
    spent = why_blocked(box.state, QueueKey(0, session="session-001"), box.now)
    box.tell(DiskSpaceChanged(1, 2))
    short = why_blocked(box.state, QueueKey(0), box.now)
    assert [(hold.rule, hold.scope) for hold in (spent, short) if hold] == [("budget", "session-001"), ("disk", "")]


def test_the_numbers_in_refusals_are_right() -> None:
    box = Box(limit=3, resident=3, depth=1)
    parent = box.spawn()
    box.batch(spec("child"), caller=parent)
    assert "is at level 1 of 1 and" in said(box)
    box.pause()
    deep = [box.spawn(nesting=2) for _ in range(2)]
    box.limit(1, 2)
    assert f"2 agents could never start, first {deep[0]}; use at least 3" in said(box)


def test_a_would_queue_refusal_mentions_a_pause_only_while_paused() -> None:
    box = Box(limit=1)
    box.spawn()
    assert now(box) == "would-queue"
    assert "paused" not in said(box)
    box.pause()
    assert now(box) == "would-queue"
    assert "alive, starts are paused; omit" in said(box)


# Now or never.


def now(box: Box, **fields: object) -> str | None:
    """The code with which a request without queueing is refused."""
    box.batch(spec("now", **fields), must_start=True, scope=Scope("/project"))
    return box.refusal()


def test_a_no_queue_request_fills_the_last_resident_slot() -> None:
    assert now(Box(limit=1, resident=1)) is None


def test_a_no_queue_request_respects_rate_limits_and_session_budgets() -> None:
    box = Box()
    agent_id = box.spawn(runner="claude")
    end(box, agent_id, Report(limited_until=WALL + box.now + 60.0))
    assert (now(box, runner="claude"), now(box, runner="codex")) == ("would-queue", None)
    box.tell(OpenSession(box.request(), Scope("/project"), None, Budget(tokens=0)))
    assert now(box) == "would-queue"


def test_a_no_queue_request_of_an_agent_respects_its_session_budget() -> None:
    box = Box()
    (parent,) = box.batch(spec("parent"), scope=Scope("/project"))
    box.state.sessions[box.agent(parent).spec.session].budget = Budget(tokens=0)  # type: ignore[index]
    box.batch(spec("child"), caller=parent, must_start=True)
    assert box.refusal() == "would-queue"


# The graph.


def test_a_finished_agent_hides_no_path_from_other_agents() -> None:
    box = Box()
    first, over, goal = box.spawn(), box.spawn(), box.spawn()
    box.exit(over)
    box.wait(first, goal)
    assert path_to(box.state, [first, over], goal) == [first, goal]


def test_a_duplicate_wait_target_hides_no_other_target() -> None:
    box = Box()
    waiter, deep, plain = box.spawn(), box.spawn(nesting=2), box.spawn()
    assert claims_needed(box.state, box.agent(waiter), (deep, plain, plain)) == {waiter: 3}


def test_a_wait_without_targets_needs_no_claim() -> None:
    box = Box()
    waiter = box.spawn()
    assert claims_needed(box.state, box.agent(waiter), ()) == {}


def test_cycle_from_ignores_an_agent_that_is_not_in_memory() -> None:
    assert cycle_from(Box().state, [AgentId("agent-999")]) is None


# Memory.


def test_runs_that_end_together_are_forgotten_together() -> None:
    box = Box()
    group = (GroupPlan("", is_fail_fast=True),)
    for name in "ab":
        box.tell(
            BeginRun(box.request(), None, RunPlan(name, group, "/"), (Part("m", spec("m")),), durations={"m": 1.0})
        )
    members = tuple(box.state.agents)
    box.cancel(*members)
    for member in members:
        box.exit(member, 143)
    forget(box.state, members)
    assert (box.state.agents, box.state.runs) == ({}, {})
