"""Why, in full: the rule, who is in the way, what would change it."""

from __future__ import annotations

from orchd.core import inputs
from orchd.core.admission.blocking import Rule
from orchd.core.admission.why import MOST, WAYS_OUT, Verdict, why, why_run
from orchd.core.state.agents import AgentId, Condition, Outcome, agent_id
from orchd.core.state.runs import GroupPlan, RunPlan, run_id
from tests.core.admission.test_blocking import EVEN, HERE, limited, two
from tests.core.box import Box, spec


def asked(box: Box, agent_id: AgentId) -> Verdict:
    """The answer of `why` about an agent."""
    return why(box.state, box.agent(agent_id), box.now, box.state.agents.get)


def begun(box: Box, *paths: str, **group: object) -> tuple[AgentId, ...]:
    """The members of a new run, all at once."""
    parts = tuple(inputs.Part(path, spec(path)) for path in paths)
    plan = RunPlan("r", (GroupPlan("", **group),), "/")  # type: ignore[arg-type]
    before = set(box.state.agents)
    box.tell(inputs.BeginRun(box.request(), None, plan, parts, durations=dict.fromkeys(paths, 1.0), scope=HERE))
    return tuple(agent_id for agent_id in box.state.agents if agent_id not in before)


def test_at_the_limit_the_working_agents_block_and_a_higher_limit_helps() -> None:
    box = Box(limit=2)
    first, second, third, fourth = box.batch(*(spec(name) for name in "abcd"))
    verdict = asked(box, third)
    assert (verdict.rule, verdict.blockers, verdict.blocked_by) == ("limit", (first, second), 2)
    assert verdict.way_out == "wait for one of them to end, or run `orchctl limit 3`"
    assert asked(box, fourth).way_out == "wait for one of them to end (queue position 2), or run `orchctl limit 4`"
    box.limit(limit=4)
    assert box.status(third, fourth) == ["running", "running"]


def test_an_agent_that_could_not_be_started_is_corrected_before_a_retry() -> None:
    box = Box()
    box.broken[agent_id(1)] = ("cannot run 'x': no such program", False)
    first = box.spawn()
    dependent = box.spawn(after=(first,))
    assert box.status(first, dependent) == ["failed", "skipped"]
    assert str(asked(box, first).way_out).startswith("spawn it again with what the reason names corrected; or ")
    why_first = f"{first} could not be started: correct what `orchctl why {first}` shows"
    assert asked(box, dependent).way_out == f"{why_first}, then `orchctl retry {first} {dependent}`"
    box.retry(first)
    box.exit(first, code=1)
    assert asked(box, first).way_out == f"`orchctl retry {first}`"
    box.broken[first] = ("cannot run 'x': no such program", False)
    box.retry(first)
    assert str(asked(box, first).way_out).startswith("spawn it again with what the reason names corrected; or ")


def test_a_queued_agent_is_held_by_its_unfinished_blocker() -> None:
    box = Box()
    first, second = box.batch(spec("a"), spec("b"))
    box.exit(first)
    agent_id = box.spawn(after=(first, second))
    verdict = asked(box, agent_id)
    assert (verdict.rule, verdict.blockers) == ("after", (second,))
    assert f"{agent_id} is skipped" in str(verdict.way_out)


def test_used_up_resident_slots_suggest_a_higher_resident_limit() -> None:
    box = Box(limit=2, resident=3)
    parents = box.batch(spec("a", nesting=1), spec("b", nesting=1))
    children = [box.spawn(caller=parent) for parent in parents]
    for parent, child in zip(parents, children, strict=True):
        box.wait(parent, child)
    verdict = asked(box, children[1])
    assert (verdict.rule, verdict.blocked_by) == ("resident", 3)
    assert verdict.sentence == "3 of 3 resident slots are in use"
    assert verdict.way_out == "wait for one of them to end, or run `orchctl limit --resident 5`"
    after_it = asked(box, box.spawn())
    assert after_it.way_out == "wait for one of them to end (queue position 2), or run `orchctl limit --resident 7`"
    box.limit(resident=5)
    assert box.status(children[1]) == ["running"]


def test_an_unsafe_nesting_suggests_a_safe_resident_limit() -> None:
    box = Box(limit=3, resident=3)
    first = box.spawn(nesting=2)
    agent_id = box.spawn(nesting=2)
    verdict = asked(box, agent_id)
    assert (verdict.rule, verdict.blockers) == ("nesting", (first,))
    assert verdict.way_out == "wait for one of them to end, or run `orchctl limit --resident 4`"
    box.limit(resident=4)
    assert box.status(agent_id) == ["running"]


def test_a_member_is_blocked_by_max_parallel_of_its_run() -> None:
    box = Box()
    first, second = begun(box, "a", "b", max_parallel=1)
    box.spawn()
    sentence = "run-001 already runs as many members as its maxParallel allows"
    assert asked(box, second) == Verdict("max-parallel", sentence, (first,), 1, "wait for one of them to end")


def test_rules_without_blocking_agents_report_their_remedy() -> None:
    box = Box(limit=1)
    first, second = two(box, runner="claude")
    limited(box, first, 60.0)
    assert asked(box, second)[0] == "rate-limited"
    assert "to try claude now" in str(asked(box, second).way_out)
    box.tell(inputs.DiskSpaceChanged(50, 100))
    assert asked(box, second).rule == "disk"
    assert "`free_bytes`" in str(asked(box, second).way_out)
    box.pause()
    assert asked(box, second)[0] == "paused"
    assert asked(box, second).blockers == ()
    box.drain()
    assert asked(box, second)[0] == "daemon-stopping"


def test_every_rule_has_a_way_out() -> None:
    assert set(WAYS_OUT) == set(Rule)


def test_a_host_that_starts_no_process_is_reported_as_retried() -> None:
    box = Box()
    box.broken[agent_id(1)] = ("no processes", True)
    verdict = asked(box, box.spawn())
    assert (verdict.rule, verdict.way_out) == (
        "machine",
        "end some processes or free memory; it is retried automatically",
    )


def test_a_retry_waits_for_its_delay_and_other_agents_for_their_turn() -> None:
    box = Box(limit=1)
    first, second = box.batch(spec("a", retries=1), spec("b"))
    box.pause()
    box.exit(first, 3)
    box.state.is_paused = False
    assert asked(box, first).rule == "retry-delay"
    box.now = box.agent(first).ready_at or 0.0
    box.state.queue.ripen(box.now)
    assert asked(box, first) == Verdict("order", "it starts next")
    sentence = "other agents are ahead of it in the queue"
    assert asked(box, second) == Verdict("order", sentence, (first,), 1, "wait for them to start")


def test_a_waiting_agent_is_blocked_by_its_targets_then_by_slot_holders() -> None:
    box = Box(limit=2)
    parent = box.spawn()
    child = box.spawn(caller=parent)
    box.wait(parent, child)
    assert asked(box, parent) == Verdict("waits", f"waits for {child}", (child,), 1, "wait for them to end")
    other = box.spawn()
    box.limit(limit=1)
    box.exit(child)
    sentence, way_out = "waits for a slot", "wait for one of them to end, or run `orchctl limit 2`"
    assert asked(box, parent) == Verdict("returning", sentence, (other,), 1, way_out)
    box.limit(limit=2)
    assert box.status(parent) == ["running"]


def test_an_agent_returning_from_an_any_wait_is_blocked_by_slot_holders() -> None:
    box = Box(limit=3)
    parent = box.spawn()
    first, second = box.spawn(caller=parent), box.spawn(caller=parent)
    box.wait(parent, first, second, is_any=True)
    sentence = f"waits for {first}, {second}"
    assert asked(box, parent) == Verdict("waits", sentence, (first, second), 2, "wait for them to end")
    box.limit(limit=1)
    box.exit(first)
    sentence, way_out = "waits for a slot", "wait for one of them to end, or run `orchctl limit 2`"
    assert asked(box, parent) == Verdict("returning", sentence, (second,), 1, way_out)


def test_a_returning_member_is_blocked_by_a_member_of_its_group() -> None:
    box = Box()
    first, second = begun(box, "a", "b", max_parallel=1)
    child = box.spawn(caller=first)
    box.wait(first, child)
    assert box.status(second) == ["running"]
    box.exit(child)
    sentence = "waits for a slot"
    assert asked(box, first) == Verdict("returning", sentence, (second,), 1, "wait for one of them to end")


def test_working_stopping_and_finished_agents_report_their_state() -> None:
    box = Box()
    first, second, third = box.batch(spec("a", timeout=5.0), spec("b"), spec("c"))
    assert asked(box, first)[:2] == ("working", "it holds a slot")
    box.sleep(6.0)
    way_out = "wait; processes still running in 10 s are killed"
    assert asked(box, first) == Verdict("stopping", "timed out after 5 s", way_out=way_out)
    box.now += 9.5
    assert asked(box, first).way_out == "wait; processes still running in 0 s are killed"
    box.sleep(1.5)
    assert asked(box, first).way_out == "wait; it is being killed"
    box.tell(inputs.Exited(first, 1, Outcome(137), is_tree_gone=True))
    assert asked(box, first)[:2] == ("timeout", "timed out after 5 s")
    box.exit(second, 4)
    verdict = asked(box, second)
    assert (verdict.rule, verdict.sentence, verdict.way_out) == (
        "failed",
        "exit code 4",
        f"`orchctl retry {second}`",
    )
    box.exit(third)
    assert asked(box, third) == Verdict("completed", None)


def test_a_skipped_agent_is_retried_with_the_incomplete_agents_before_it() -> None:
    box = Box()
    good, bad, other = box.batch(spec("a"), spec("b"), spec("c"))
    middle = box.spawn(after=(good, bad))
    last = box.spawn(after=(middle, other))
    box.exit(good)
    box.exit(bad, 1)
    assert asked(box, middle).way_out == f"`orchctl retry {bad} {middle}`"
    assert asked(box, last).way_out == f"`orchctl retry {bad} {middle} {last}`"
    box.retry(bad, middle, last)
    assert box.status(middle, last) == ["queued", "queued"]


def test_too_many_incomplete_blockers_are_counted_instead_of_named() -> None:
    box = Box()
    first = box.spawn()
    chain = [first]
    for _ in range(MOST + 1):
        chain.append(box.spawn(after=(chain[-1],)))
    box.exit(first, 1)
    way_out = f"`orchctl retry` with its id and the ids of all {MOST + 1} agents before it that did not complete"
    assert asked(box, chain[-1]).way_out == way_out


def test_a_skipped_member_is_retried_with_its_run() -> None:
    box = Box()
    first, second = begun(box, "a", "b", max_parallel=1)
    box.exit(first, 1)
    assert box.status(second) == ["skipped"]
    way_out = "`orchctl retry run-001` retries it and the members before it that did not complete"
    assert asked(box, second).way_out == way_out


def test_of_many_blockers_the_first_are_named_and_all_are_counted() -> None:
    box = Box(limit=MOST + 5, resident=MOST + 5)
    box.batch(*(spec(f"n{number}") for number in range(MOST + 6)))
    verdict = asked(box, AgentId(f"agent-{MOST + 6}"))
    assert (len(verdict.blockers), verdict.blocked_by) == (MOST, MOST + 5)


def test_agents_ahead_in_the_queue_are_all_counted_too() -> None:
    box = Box(limit=1)
    *_, last = box.batch(*(spec(f"n{number}") for number in range(MOST + 6)))
    box.pause()
    box.exit(agent_id(1))
    box.state.is_paused = False
    verdict = asked(box, last)
    assert (verdict.rule, verdict.blockers[0], len(verdict.blockers), verdict.blocked_by) == (
        "order",
        agent_id(2),
        MOST,
        MOST + 4,
    )


def test_a_run_is_blocked_by_running_members_and_blames_the_first_failed() -> None:
    box = Box()
    first, second = begun(box, *EVEN, is_fail_fast=False)
    run = box.state.runs[run_id(1)]
    assert why_run(box.state, run, box.now) == Verdict(
        "running", "0 of 2 members have ended", (first, second), 2, "wait for them to end"
    )
    box.exit(second, 1)
    way_out = "wait for the running members to end; members after a failed member are skipped"
    assert why_run(box.state, run, box.now) == Verdict("running", "1 of 2 members have ended", (second,), 1, way_out)
    box.exit(first)
    verdict = why_run(box.state, run, box.now)
    assert (verdict.rule, verdict.blockers, verdict.way_out) == (
        "failed",
        (second,),
        "`orchctl retry run-001` retries what did not complete",
    )
    begun(box, "c")
    box.exit(AgentId("agent-003"))
    assert why_run(box.state, box.state.runs[run_id(2)], box.now) == Verdict("completed", "1 of 1 members have ended")


def test_an_agent_killed_for_its_memory_reports_the_memory_rule() -> None:
    box = Box()
    agent_id = box.spawn()
    box.tell(inputs.OverMemory(agent_id, 1))
    box.exit(agent_id, 137)
    assert asked(box, agent_id)[:2] == ("memory", "memory")


def test_an_agent_cancelled_before_its_retry_reports_cancelled() -> None:
    box = Box()
    agent_id = box.spawn(timeout=5.0, retries=1)
    box.sleep(6.0)
    box.exit(agent_id, 143)
    assert asked(box, agent_id).rule == "retry-delay"
    box.cancel(agent_id)
    assert asked(box, agent_id).rule == "cancelled"


def test_an_agent_without_progress_in_a_lent_slot_names_its_lender() -> None:
    box = Box(limit=1)
    parent = box.spawn("parent")
    child = box.spawn("child", caller=parent)
    box.sleep(30.0)
    assert asked(box, child).rule == "working"
    box.tell(inputs.StoodStill(frozenset({(child, 1)})))
    verdict = asked(box, child)
    assert (verdict.rule, verdict.blockers, verdict.blocked_by) == ("standing-still", (parent,), 1)
    assert verdict.sentence == (
        f"no progress in the slot lent by {parent}: it may need a lock or pipe of {parent}, which is frozen"
    )
    assert verdict.way_out == f"`orchctl limit 2`, so that both can run, or `orchctl cancel {child}`"


def test_an_idle_run_reports_what_blocks_its_first_member() -> None:
    box = Box()
    box.pause()
    begun(box, *EVEN, is_fail_fast=False)
    verdict = why_run(box.state, box.state.runs[run_id(1)], box.now)
    assert verdict.sentence == "0 of 2 members have ended; paused: no new agents will start until `orchctl resume`"
    assert (verdict.rule, verdict.way_out) == ("running", "`orchctl resume`")


def test_a_paused_agent_reports_resume_as_its_way_out() -> None:
    box = Box()
    agent_id = box.spawn()
    box.pause_agents(agent_id)
    assert asked(box, agent_id) == Verdict(
        "held",
        f"it keeps its slot; `orchctl resume {agent_id}` continues it",
        way_out=f"`orchctl resume {agent_id}`",
    )


def test_each_incomplete_blocker_is_named_once() -> None:
    box = Box()
    first = box.spawn()
    left, right = (box.spawn(after=(first,)) for _ in range(2))
    last = box.spawn(after=(left, right))
    box.exit(first, 1)
    assert asked(box, last).way_out == f"`orchctl retry {first} {left} {right} {last}`"


def test_a_blocker_that_was_required_to_fail_and_completed_is_not_retried() -> None:
    box = Box()
    first = box.spawn()
    middle = box.spawn(after=(first,), conditions=((first, Condition.FAILED),))
    last = box.spawn(after=(middle,))
    box.exit(first)
    assert box.status(middle, last) == ["skipped", "skipped"]
    assert asked(box, last).way_out == f"`orchctl retry {middle} {last}`"
