"""What the world told: processes, their trees, their clients and the clock."""

from __future__ import annotations

import pytest

from orchd.core import inputs
from orchd.core.admission.slots import overdrawn
from orchd.core.decide import decide, next_deadline
from orchd.core.effects import CheckOutput, Freeze, Kill, Refuse, Release, Terminate, Thaw, WatchCaller
from orchd.core.handlers.backoff import HOLD_SECONDS, MOST_HOLD_SECONDS
from orchd.core.handlers.processes import MACHINES
from orchd.core.state.agents import AgentId, Instant, Oom, Outcome, StopReason, agent_id
from orchd.core.state.events import AgentHeard, AttemptRetried, KillBegan, ProcessEnded, StopBegan
from orchd.core.turn import Turn
from tests.core.box import Box, names, spec


def test_an_attempt_is_released_when_its_process_is_recorded() -> None:
    box = Box()
    agent_id = box.spawn()
    assert box.done(Release) == [Release(agent_id, 1)]
    assert box.agent(agent_id).pid == 101


def test_an_agent_that_cannot_start_fails_and_its_dependents_are_skipped() -> None:
    box = Box()
    box.broken[agent_id(1)] = ("no such program", False)
    first, second = box.batch(spec("a", retries=5), spec("b", after=(AgentId("a"),)))
    assert box.status(first, second) == ["failed", "skipped"]
    assert box.agent(first).reason == "no such program"


def test_a_failed_process_start_on_the_host_holds_all_starts_for_a_while() -> None:
    box = Box(limit=1)
    box.broken[agent_id(1)] = ("no pids", True)
    first, second = box.batch(spec("a"), spec("b"))
    assert box.status(first, second) == ["queued", "queued"]
    box.limit(limit=2)
    assert box.status(first, second) == ["queued", "queued"]
    assert next_deadline(box.state) == box.now + HOLD_SECONDS
    box.sleep(HOLD_SECONDS)
    assert box.status(first, second) == ["running", "running"]
    assert box.agent(first).attempt == 2


def test_repeated_start_failures_on_the_host_are_retried_less_often() -> None:
    box = Box(limit=2)
    (other,) = box.batch(spec("other"))
    agent = agent_id(2)
    holds: list[float] = []
    for _ in range(9):
        box.broken[agent] = ("no pids", True)
        if not holds:
            box.batch(spec("a"))
        else:
            box.sleep(holds[-1])
        assert box.status(agent) == ["queued"]
        holds.append(box.state.spawn_backoff_until - box.now)
    assert holds == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, MOST_HOLD_SECONDS, MOST_HOLD_SECONDS, MOST_HOLD_SECONDS]
    box.exit(other, 0)  # what it held may be what is missing
    assert box.status(agent) == ["running"]
    box.broken[agent_id(3)] = ("no pids", True)
    box.batch(spec("b"))
    assert box.state.spawn_backoff_until == box.now + HOLD_SECONDS


@pytest.mark.parametrize(("code", "status"), [(0, "completed"), (1, "failed"), (137, "failed"), (None, "lost")])
def test_the_exit_code_decides_the_final_status(code: int | None, status: str) -> None:
    box = Box()
    agent_id = box.spawn()
    box.exit(agent_id, code)
    assert box.status(agent_id) == [status]


def test_a_failed_or_lost_agent_reports_how_it_ended() -> None:
    box = Box()
    agents = box.batch(spec("a"), spec("b"), spec("c"))
    box.exit(agents[0], 3)
    box.exit(agents[1], None)
    box.tell(inputs.Exited(agents[2], 1, Outcome(None), is_tree_gone=True, note="its shim was killed"))
    reasons = [box.agent(agent_id).reason for agent_id in agents]
    assert reasons == ["exit code 3", "it ended without an exit record", "its shim was killed"]


def test_the_rest_of_a_process_tree_is_terminated_and_then_killed() -> None:
    box = Box()
    agent_id = box.spawn(grace=4.0)
    box.exit(agent_id, is_tree_gone=False)
    assert box.done(Terminate) == [Terminate(agent_id, 1)]
    box.sleep(3.9)
    assert box.done(Kill) == []
    box.sleep(0.1)
    assert (box.done(Kill), box.events(KillBegan)) == ([Kill(agent_id, 1)], [KillBegan(agent_id, 1)])
    box.sleep(60.0)
    assert box.done(Kill) == []
    box.tree_gone(agent_id)
    assert box.status(agent_id) == ["completed"]


def test_a_repeated_exit_report_counts_once() -> None:
    box = Box()
    agent_id = box.spawn()
    box.exit(agent_id, 0, is_tree_gone=False)
    box.exit(agent_id, 1, is_tree_gone=False)
    assert (box.events(ProcessEnded), box.done(Terminate)) == ([], [Terminate(agent_id, 1)])
    box.exit(agent_id, 1)
    assert box.status(agent_id) == ["completed"]
    box.tell(inputs.Exited(agent_id, 1, Outcome(1), is_tree_gone=True))
    assert (box.turn.events, box.status(agent_id)) == ([], ["completed"])


@pytest.mark.parametrize("kind", ["exited", "never-ran", "tree-gone", "adopted", "heard"])
@pytest.mark.parametrize("whose", ["an older attempt", "nobody"])
def test_stale_process_reports_change_nothing(kind: str, whose: str) -> None:
    box = Box()
    agent = box.spawn(retries=1)
    box.exit(agent, 1)
    box.sleep(10.0)
    assert box.agent(agent).attempt == 2
    key = (agent, 1) if whose == "an older attempt" else (agent_id(99), 0)
    news: dict[str, inputs.Input] = {
        "exited": inputs.Exited(*key, Outcome(1), is_tree_gone=True),
        "never-ran": inputs.NeverRan(*key),
        "tree-gone": inputs.TreeGone(*key),
        "adopted": inputs.Adopted(*key),
        "heard": inputs.OutputSeen(*key, 0.0),
    }
    box.tell(news[kind])
    assert (box.turn.events, box.turn.effects, box.status(agent)) == ([], [], ["running"])


def test_a_tree_gone_report_before_the_process_exit_changes_nothing() -> None:
    box = Box()
    agent_id = box.spawn()
    box.tree_gone(agent_id)
    assert (box.turn.events, box.status(agent_id)) == ([], ["running"])


def test_a_waiting_client_is_refused_when_its_agent_ends() -> None:
    box = Box()
    parent, other = box.batch(spec("a"), spec("b"))
    request = box.wait(parent, other)
    box.exit(parent, is_tree_gone=False)
    (refusal,) = box.done(Refuse)
    assert (refusal.request, refusal.code, box.status(parent)) == (request, "stopping", ["stopping"])


def test_an_attempt_that_never_ran_is_queued_before_other_agents() -> None:
    box = Box(limit=1)
    first, second = box.batch(spec("a"), spec("b"))
    box.pause()
    box.tell(inputs.NeverRan(first, 1))
    assert (box.status(first), box.agent(first).tries) == (["queued"], 0)
    box.resume()
    assert box.status(first, second) == ["running", "queued"]
    assert box.agent(first).attempt == 2


def test_a_cancelled_attempt_that_never_ran_is_cancelled() -> None:
    box = Box()
    first, second = box.batch(spec("a"), spec("b", after=(AgentId("a"),)))
    box.cancel(first)
    box.tell(inputs.NeverRan(first, 1))
    assert box.status(first, second) == ["cancelled", "skipped"]


def test_a_timed_out_attempt_that_never_ran_is_queued_again() -> None:
    box = Box()
    agent_id = box.spawn(timeout=5.0)
    box.sleep(5.0)
    box.pause()
    box.tell(inputs.NeverRan(agent_id, 1))
    assert box.status(agent_id) == ["queued"]


def test_an_adopted_agent_continues_and_its_clients_are_watched_again() -> None:
    box = Box()
    parent, other = box.batch(spec("a"), spec("b"))
    request = box.wait(parent, other)
    box.tell(inputs.Adopted(parent, 1), inputs.Adopted(other, 1))
    assert (box.turn.events, box.turn.effects) == ([], [Thaw(parent, 1), WatchCaller(parent, request), Thaw(other, 1)])


@pytest.mark.parametrize(("seconds", "effect"), [(0.0, Terminate), (5.0, Kill)])
@pytest.mark.parametrize("news", ["adopted", "exited"])
def test_a_restarted_daemon_continues_to_end_a_stopping_agent(
    seconds: float, effect: type[Terminate | Kill], news: str
) -> None:
    box = Box()
    agent_id = box.spawn(grace=5.0)
    box.cancel(agent_id)
    box.sleep(seconds)
    if news == "adopted":
        box.tell(inputs.Adopted(agent_id, 1))
    else:
        box.exit(agent_id, 143, is_tree_gone=False)
    assert box.turn.effects == [effect(agent_id, 1)]


def test_an_agent_with_a_dead_client_is_frozen_until_a_slot_is_free() -> None:
    box = Box(limit=1)
    parent = box.spawn()
    child = box.spawn(caller=parent)
    request = box.wait(parent, child)
    box.tell(inputs.CallerGone(parent, request))
    assert (box.status(parent), overdrawn(box.state), box.turn.effects) == (["waiting"], 0, [Freeze(parent, 1)])
    other = box.spawn()
    box.exit(child)
    assert (box.status(parent, other), box.turn.effects) == (["running", "queued"], [Thaw(parent, 1)])


def test_a_frozen_agent_is_frozen_again_by_the_next_daemon() -> None:
    box = Box(limit=1)
    parent = box.spawn()
    child = box.spawn(caller=parent)
    request = box.wait(parent, child)
    box.tell(inputs.CallerGone(parent, request))
    box.tell(inputs.Adopted(parent, 1))
    assert box.turn.effects == [Freeze(parent, 1)]


def test_an_agent_with_a_dead_client_overdraws_a_lenient_limit() -> None:
    box = Box(limit=1)
    box.state.is_strict = False
    parent = box.spawn()
    child = box.spawn(caller=parent)
    request = box.wait(parent, child)
    box.tell(inputs.CallerGone(parent, request))
    assert (box.status(parent), overdrawn(box.state), box.replies()) == (["running"], 1, {})
    box.tell(inputs.CallerGone(parent, request), inputs.CallerGone(agent_id(99), request))
    assert box.turn.events == []


def test_a_running_or_waiting_agent_is_stopped_at_its_timeout() -> None:
    box = Box()
    agents = box.batch(spec("a", timeout=30.0, grace=5.0), spec("b", timeout=30.0), spec("c"))
    box.wait(agents[1], agents[2])
    box.sleep(29.9)
    assert box.status(*agents) == ["running", "waiting", "running"]
    box.sleep(0.1)
    assert box.status(*agents) == ["stopping", "stopping", "running"]
    assert box.events(StopBegan)[0] == StopBegan(agents[0], 1, StopReason.TIMEOUT, "timed out after 30 s")
    box.exit(agents[0], 0)
    assert (box.status(agents[0]), box.agent(agents[0]).reason) == (["timed-out"], "timed out after 30 s")


def test_the_output_of_a_silent_agent_is_checked_before_it_is_stopped() -> None:
    box = Box()
    agent_id = box.spawn(silence=10.0)
    box.quiet[agent_id] = 3.0
    box.sleep(10.0)
    assert box.events(AgentHeard) == [AgentHeard(agent_id, 1, 3.0)]
    assert next_deadline(box.state) == box.now + 7.0
    box.quiet[agent_id] = 60.0
    box.sleep(7.0)
    assert (box.status(agent_id), box.agent(agent_id).reason) == (["stopping"], "no output for 10 s")
    box.exit(agent_id, 143)
    assert box.status(agent_id) == ["timed-out"]


def test_an_agent_silent_since_long_before_the_last_check_is_stopped() -> None:
    box = Box()
    agent_id = box.spawn(silence=10.0)
    box.quiet[agent_id] = 10.0
    box.sleep(20.0)
    assert names(box.turn.events) == ["AgentHeard", "StopBegan"]


def test_silence_is_measured_from_any_moment_also_from_zero() -> None:
    box = Box()
    box.now = 0.0
    agent_id = box.spawn(silence=5.0)
    box.quiet[agent_id] = 99.0
    box.sleep(5.0)
    assert box.status(agent_id) == ["stopping"]


def test_the_silence_of_a_waiting_agent_counts_only_from_its_return() -> None:
    box = Box()
    parent, child = box.batch(spec("a", silence=10.0), spec("b"))
    box.wait(parent, child)
    box.quiet[parent] = 999.0
    box.sleep(100.0)
    assert (box.status(parent), next_deadline(box.state)) == (["waiting"], None)
    box.exit(child)
    assert next_deadline(box.state) == box.now + 10.0


def test_a_silence_report_of_a_waiting_agent_changes_nothing() -> None:
    box = Box()
    parent, child = box.batch(spec("a", silence=10.0), spec("b"))
    box.wait(parent, child)
    box.tell(inputs.OutputSeen(parent, 1, 999.0))
    assert box.turn.events == []


def test_only_agents_with_a_silence_limit_are_checked_for_output() -> None:
    box = Box()
    box.batch(spec("a", silence=10.0), spec("b"))
    turn = Turn(box.state, Instant(box.now + 10.0, 0.0))
    decide(turn, inputs.Tick())
    assert turn.questions == [CheckOutput(agent_id(1), 1)]


def test_a_failed_attempt_is_retried_after_a_delay_up_to_its_retries() -> None:
    box = Box()
    agent_id = box.spawn(retries=2)
    for attempt in (1, 2):
        box.exit(agent_id, 1)
        (retried,) = box.events(AttemptRetried)
        assert (box.status(agent_id), retried.attempt, retried.reason) == (["queued"], attempt, "exit code 1")
        box.sleep(retried.delay - 0.01)
        assert box.status(agent_id) == ["queued"]
        box.sleep(0.02)
        assert (box.status(agent_id), box.agent(agent_id).attempt) == (["running"], attempt + 1)
    box.exit(agent_id, 1)
    assert box.status(agent_id) == ["failed"]


def test_a_retry_waits_longer_each_time() -> None:
    box = Box()
    agent_id = box.spawn(retries=6)
    delays = []
    for _ in range(6):
        delays += [event.delay for event in (box.exit(agent_id, 1), box.events(AttemptRetried)[0])[1:]]
        box.sleep(1000.0)
    assert all(0.5 * 2**tries <= delay <= 1.5 * 2**tries for tries, delay in enumerate(delays))


def test_the_children_of_a_retried_attempt_are_cancelled() -> None:
    box = Box()
    parent = box.spawn(retries=1)
    child = box.spawn(caller=parent)
    box.exit(parent, 1)
    assert box.status(parent, child) == ["queued", "stopping"]
    assert box.agent(child).cause is StopReason.CANCELLED


def test_dependents_of_a_retried_agent_are_not_skipped() -> None:
    box = Box()
    first, second = box.batch(spec("a", retries=1), spec("b", after=(AgentId("a"),)))
    box.exit(first, 1)
    assert box.status(second) == ["queued"]
    box.sleep(10.0)
    box.exit(first)
    assert box.status(second) == ["running"]


@pytest.mark.parametrize(("how", "status"), [("timeout", "timed-out"), ("lost", "lost"), ("cancel", "cancelled")])
def test_timed_out_and_lost_attempts_are_retried_but_cancelled_are_not(how: str, status: str) -> None:
    box = Box()
    agent_id = box.spawn(retries=1, timeout=30.0 if how == "timeout" else None)
    for expected in (["queued"], [status]):
        if how == "timeout":
            box.sleep(30.0)
        elif how == "cancel":
            box.cancel(agent_id)
        box.exit(agent_id, None if how == "lost" else 143)
        if how == "cancel":
            break
        assert box.status(agent_id) == expected
        if expected == ["queued"]:
            box.sleep(10.0)
    assert box.status(agent_id) == [status]


def test_an_agent_over_its_memory_limit_is_killed_at_once_and_fails() -> None:
    box = Box()
    agent_id = box.spawn(memory_max=1 << 20)
    child = box.spawn("child", caller=agent_id)
    box.tell(inputs.OverMemory(agent_id, 1))
    assert box.events(StopBegan) == [StopBegan(agent_id, 1, StopReason.MEMORY, "memory")]
    assert (box.events(KillBegan), box.done(Kill)) == ([KillBegan(agent_id, 1)], [Kill(agent_id, 1)])
    assert box.done(Terminate) == []
    box.tell(inputs.OverMemory(agent_id, 1))
    assert box.turn.effects == []
    box.exit(agent_id, 137)
    assert (box.status(agent_id), box.agent(agent_id).reason) == (["failed"], "memory")
    assert box.status(child) == ["stopping"]


def test_a_waiting_agent_over_its_memory_limit_has_its_wait_refused() -> None:
    box = Box()
    agent_id = box.spawn(nesting=1, memory_max=1 << 20)
    request = box.wait(agent_id, box.spawn("child", caller=agent_id))
    box.tell(inputs.OverMemory(agent_id, 1))
    assert [refused.request for refused in box.done(Refuse)] == [request]
    assert box.status(agent_id) == ["stopping"]


def test_a_stopping_agent_over_its_memory_limit_is_killed_at_once() -> None:
    box = Box()
    agent_id = box.spawn(timeout=5.0, grace=10.0)
    box.sleep(5.0)
    box.tell(inputs.OverMemory(agent_id, 1))
    assert box.done(Kill) == [Kill(agent_id, 1)]
    box.exit(agent_id, 137)
    assert (box.status(agent_id), box.agent(agent_id).reason) == (["timed-out"], "timed out after 5 s")


def test_a_memory_report_of_an_earlier_attempt_changes_nothing() -> None:
    box = Box()
    agent_id = box.spawn(retries=1)
    box.exit(agent_id, 1)
    box.sleep(2.0)
    assert box.agent(agent_id).attempt == 2
    assert box.tell(inputs.OverMemory(agent_id, 1)).effects == []


@pytest.mark.parametrize("code", [None, 1, 137])
def test_an_agent_killed_by_the_kernel_for_its_memory_limit_fails(code: int | None) -> None:
    box = Box()
    agent_id = box.spawn()
    box.tell(inputs.Exited(agent_id, 1, Outcome(code, oom=Oom.OWN), is_tree_gone=True, note="its shim was killed"))
    assert (box.status(agent_id), box.agent(agent_id).reason) == (["failed"], "memory")


def test_an_agent_that_exits_with_zero_completes_despite_an_oom_kill() -> None:
    box = Box()
    agent_id = box.spawn()
    box.tell(inputs.Exited(agent_id, 1, Outcome(0, oom=Oom.OWN), is_tree_gone=True))
    assert box.status(agent_id) == ["completed"]


def test_an_attempt_over_its_memory_limit_is_retried_like_any_other() -> None:
    box = Box()
    agent_id = box.spawn(retries=1)
    for _ in range(2):
        box.tell(inputs.OverMemory(agent_id, box.agent(agent_id).attempt))
        box.exit(agent_id, 137)
        box.sleep(2.0)
    assert (box.status(agent_id), box.agent(agent_id).attempt, box.agent(agent_id).reason) == (["failed"], 2, "memory")


@pytest.mark.parametrize(("code", "status"), [(137, "failed"), (None, "lost")])
def test_memory_pressure_of_the_host_is_added_to_the_reason(code: int | None, status: str) -> None:
    box = Box()
    agent_id = box.spawn()
    box.tell(inputs.Exited(agent_id, 1, Outcome(code, oom=Oom.MACHINE), is_tree_gone=True))
    how = f"exit code {code}" if code else "it ended without an exit record"
    assert (box.status(agent_id), box.agent(agent_id).reason) == ([status], f"{how}; {MACHINES}")
