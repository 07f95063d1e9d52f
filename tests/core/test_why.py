"""Why, in full: the rule, who is in the way, what would change it."""

from __future__ import annotations

from orchd.core import inputs
from orchd.core.model import AgentId, Outcome
from orchd.core.runs import Group, Plan, run_id
from orchd.core.why import MOST, Verdict, why, why_run
from tests.core.box import Box, spec
from tests.core.test_holds import EVEN, HERE, limited, two


def asked(box: Box, one: AgentId) -> Verdict:
    """What `why` says of an agent."""
    return why(box.state, box.agent(one), box.now)


def begun(box: Box, *paths: str, **group: object) -> tuple[AgentId, ...]:
    """The members of a new run, all at once."""
    parts = tuple(inputs.Part(path, spec(path)) for path in paths)
    plan = Plan("r", (Group("", **group),), "/")  # type: ignore[arg-type]
    before = set(box.state.agents)
    box.tell(inputs.BeginRun(box.request(), None, plan, parts, durations=dict.fromkeys(paths, 1.0), scope=HERE))
    return tuple(one for one in box.state.agents if one not in before)


def test_at_the_limit_those_at_work_hold_the_places_and_a_higher_limit_helps() -> None:
    box = Box(limit=2)
    first, second, third, fourth = box.batch(*(spec(name) for name in "abcd"))
    told = asked(box, third)
    assert (told.rule, told.holders, told.held_by) == ("limit", (first, second), 2)
    assert told.way_out == "the end of one of them, or `orchctl limit 3`"
    assert asked(box, fourth).way_out == "the end of one of them; 1 queued before it go first, or `orchctl limit 4`"
    box.limit(limit=4)
    assert box.status(third, fourth) == ["running", "running"]


def test_what_it_comes_after_holds_it() -> None:
    box = Box()
    first, second = box.batch(spec("a"), spec("b"))
    box.exit(first)
    one = box.spawn(after=(first, second))
    told = asked(box, one)
    assert (told.rule, told.holders) == ("after", (second,))
    assert f"{one} is skipped" in str(told.way_out)


def test_a_box_full_of_the_living_is_helped_by_more_resident_places() -> None:
    box = Box(limit=2, resident=3)
    parents = box.batch(spec("a", nesting=1), spec("b", nesting=1))
    children = [box.spawn(caller=parent) for parent in parents]
    for parent, child in zip(parents, children, strict=True):
        box.wait(parent, child)
    told = asked(box, children[1])
    assert (told.rule, told.held_by) == ("resident", 3)
    box.limit(resident=4)
    assert box.status(children[1]) == ["running"]
    assert "`orchctl limit --resident 4`" in str(told.way_out)


def test_a_nesting_that_is_not_safe_names_a_number_that_is() -> None:
    box = Box(limit=3, resident=3)
    first = box.spawn(nesting=2)
    one = box.spawn(nesting=2)
    told = asked(box, one)
    assert (told.rule, told.holders) == ("nesting", (first,))
    assert told.way_out == "the end of one of them, or `orchctl limit --resident 4`"
    box.limit(resident=4)
    assert box.status(one) == ["running"]


def test_members_meet_the_bound_of_their_run() -> None:
    box = Box()
    first, second = begun(box, "a", "b", max_parallel=1)
    box.spawn()
    told = asked(box, second)
    assert (told.rule, told.holders) == ("max-parallel", (first,))


def test_rules_that_nobody_holds_say_what_changes_them() -> None:
    box = Box(limit=1)
    first, second = two(box, runner="claude")
    limited(box, first, 60.0)
    assert asked(box, second)[0] == "rate-limited"
    assert "tries claude at once" in str(asked(box, second).way_out)
    box.pause()
    assert asked(box, second)[0] == "paused"
    assert asked(box, second).holders == ()
    box.drain()
    assert asked(box, second)[0] == "daemon-stopping"


def test_a_retry_waits_for_its_time_and_others_for_their_turn() -> None:
    box = Box(limit=1)
    first, second = box.batch(spec("a", retries=1), spec("b"))
    box.pause()
    box.exit(first, 3)
    box.state.is_paused = False
    assert asked(box, first).rule == "retry-delay"
    box.now += 3600.0
    box.state.queue.ripen(box.now)
    assert {asked(box, first).rule, asked(box, second).rule} == {"order"}
    assert asked(box, second).holders == (first,)


def test_who_waits_is_held_by_whom_it_waits_for_and_then_by_those_in_its_place() -> None:
    box = Box(limit=2)
    parent = box.spawn()
    child = box.spawn(caller=parent)
    box.wait(parent, child)
    assert asked(box, parent)[:3] == ("waits", f"waits for {child}", (child,))
    other = box.spawn()
    box.limit(limit=1)
    box.exit(child)
    told = asked(box, parent)
    assert (told.rule, told.holders) == ("returning", (other,))
    box.limit(limit=2)
    assert box.status(parent) == ["running"]
    assert told.way_out == "the end of one of them, or `orchctl limit 2`"


def test_a_member_may_have_to_wait_for_its_group_to_return() -> None:
    box = Box()
    first, second = begun(box, "a", "b", max_parallel=1)
    child = box.spawn(caller=first)
    box.wait(first, child)
    assert box.status(second) == ["running"]
    box.exit(child)
    assert asked(box, first)[:3] == ("returning", "waits for a working place to return to", (second,))


def test_what_works_is_being_ended_or_is_over_says_so() -> None:
    box = Box()
    one, two_, three = box.batch(spec("a", timeout=5.0), spec("b"), spec("c"))
    assert asked(box, one)[:2] == ("working", "it holds a place and works")
    box.sleep(6.0)
    assert asked(box, one).rule == "stopping"
    assert asked(box, one).way_out == "what does not end by itself is killed in 10 s"
    box.sleep(11.0)
    assert asked(box, one).way_out == "it is being killed"
    box.tell(inputs.Exited(one, 1, Outcome(137), is_tree_gone=True))
    assert asked(box, one)[:2] == ("timeout", "took longer than 5 s")
    box.exit(two_, 4)
    told = asked(box, two_)
    assert (told.rule, told.sentence, told.way_out) == (
        "failed",
        "exit code 4",
        f"`orchctl retry {two_}` tries it again",
    )
    box.exit(three)
    assert asked(box, three) == Verdict("completed", None)


def test_of_many_holders_the_first_are_named_and_all_are_counted() -> None:
    box = Box(limit=MOST + 5, resident=MOST + 5)
    box.batch(*(spec(f"n{number}") for number in range(MOST + 6)))
    told = asked(box, AgentId(f"agent-{MOST + 6}"))
    assert (len(told.holders), told.held_by) == (MOST, MOST + 5)


def test_a_run_is_held_by_those_that_go_on_and_blames_the_first_that_failed() -> None:
    box = Box()
    first, second = begun(box, *EVEN, is_fail_fast=False)
    run = box.state.runs[run_id(1)]
    assert why_run(run)[:3] == ("running", "0 of 2 members have ended", (first, second))
    box.exit(second, 1)
    assert why_run(run)[:3] == ("running", "1 of 2 members have ended", (second,))
    box.exit(first)
    told = why_run(run)
    assert (told.rule, told.holders, told.way_out) == (
        "failed",
        (second,),
        "`orchctl retry run-001` tries what did not complete",
    )
    begun(box, "c")
    box.exit(AgentId("agent-003"))
    assert why_run(box.state.runs[run_id(2)]) == Verdict("completed", "1 of 1 members have ended")


def test_one_that_ended_for_its_memory_met_that_bound() -> None:
    box = Box()
    one = box.spawn()
    box.tell(inputs.OverMemory(one, 1))
    box.exit(one, 137)
    assert asked(box, one)[:2] == ("memory", "memory")
