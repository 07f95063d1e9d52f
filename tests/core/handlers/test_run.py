"""The way in for compositions, and what becomes of their members."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from orchd.core.effects import Refuse, Terminate
from orchd.core.inputs import BeginRun, Cancel, Part
from orchd.core.state.agents import AgentId, Level, Status, agent_id
from orchd.core.state.events import AgentSkipped, AttemptAdmitted, RunBegan, RunEnded, RunResumed, StopBegan
from orchd.core.state.runs import GroupPlan, Run, RunPlan, RunStatus
from tests.core.box import Box, spec
from tests.support.recording import recording

WHOLE = GroupPlan("")


def part(path: str, *after: str, is_required: bool = True, **fields: Any) -> Part:
    """A member that is to be."""
    return Part(path, spec(path, **fields), after, is_required)


def begin(
    box: Box,
    *parts: Part,
    groups: tuple[GroupPlan, ...] = (WHOLE,),
    caller: AgentId | None = None,
    group_after: dict[str, tuple[str, ...]] | None = None,
    durations: dict[str, float] | None = None,
) -> dict[str, AgentId]:
    """The ids of a run's members by their paths, or nothing when it was refused."""
    known = durations or dict.fromkeys((part.path for part in parts), 1.0)
    plan = RunPlan("run", groups, "/")
    box.tell(BeginRun(box.request(), caller, plan, parts, group_after or {}, known))
    ids = box.answered()
    return {part.path: agent_id for part, agent_id in zip(parts, ids, strict=True)} if ids else {}


def words(box: Box, ids: dict[str, AgentId]) -> dict[str, str]:
    """Where the members stand."""
    return {path: box.agent(agent_id).status.value for path, agent_id in ids.items()}


def ending(box: Box) -> RunEnded:
    """The end of the only run that ended in the last turn."""
    (event,) = box.events(RunEnded)
    assert isinstance(event, RunEnded)
    return event


def test_members_are_composite_agents_that_start_after_their_blockers() -> None:
    box = Box()
    ids = begin(box, part("tests", "ui", "app"), part("ui", "api"), part("app", "api"), part("api"))
    assert len(box.events(RunBegan)) == 1
    assert {box.agent(agent_id).level for agent_id in ids.values()} == {Level.COMPOSITE}
    assert words(box, ids) == {"tests": "queued", "ui": "queued", "app": "queued", "api": "running"}
    box.exit(ids["api"])
    assert words(box, ids) == {"tests": "queued", "ui": "running", "app": "running", "api": "completed"}
    box.exit(ids["app"])
    assert box.status(ids["tests"]) == ["queued"]
    box.exit(ids["ui"])
    box.exit(ids["tests"])
    assert ending(box) == RunEnded(box.agent(ids["api"]).spec.member.run, RunStatus.COMPLETED)  # type: ignore[union-attr]


def test_the_members_of_an_agents_run_are_its_children() -> None:
    box = Box()
    parent = box.spawn()
    ids = begin(box, part("a"), caller=parent)
    child = box.agent(ids["a"])
    assert (child.parent, child.level, child.depth) == (parent, Level.COMPOSITE, 1)
    box.cancel(parent)
    assert child.status is Status.STOPPING


def test_the_longest_path_starts_first_whatever_the_order_of_members() -> None:
    box = Box(limit=1)
    ids = begin(
        box,
        part("short"),
        part("middle"),
        part("long"),
        part("end", "short"),
        durations={"short": 1.0, "middle": 2.0, "long": 3.0, "end": 9.0},
    )
    started = []
    for _ in range(4):
        (running,) = box.are(Status.RUNNING)
        started.append(next(path for path, agent_id in ids.items() if agent_id == running))
        box.exit(running)
    assert started == ["short", "end", "long", "middle"]


def test_an_earlier_queued_agent_is_not_overtaken_by_members_of_a_run() -> None:
    box = Box(limit=1)
    box.spawn()
    waiting = box.spawn()
    ids = begin(box, part("a"), durations={"a": 1e9})
    box.exit(agent_id(1))
    assert box.status(waiting, ids["a"]) == ["running", "queued"]


def test_max_parallel_bounds_the_working_members_but_no_other_agent() -> None:
    box = Box()
    ids = begin(box, part("a"), part("b"), part("c"), groups=(GroupPlan("", max_parallel=2),))
    other = box.spawn()
    assert words(box, ids) == {"a": "running", "b": "running", "c": "queued"}
    assert box.status(other) == ["running"]
    box.exit(ids["a"])
    assert box.status(ids["c"]) == ["running"]


def test_a_nested_group_counts_as_one_member_of_its_parent_group() -> None:
    box = Box()
    groups = (GroupPlan("", max_parallel=1), GroupPlan("g", max_parallel=2))
    ids = begin(box, part("g/a"), part("g/b"), part("g/c"), part("d"), groups=groups)
    assert words(box, ids) == {"g/a": "running", "g/b": "running", "g/c": "queued", "d": "queued"}
    box.exit(ids["g/a"])
    assert words(box, ids) == {"g/a": "completed", "g/b": "running", "g/c": "running", "d": "queued"}
    box.exit(ids["g/b"])
    box.exit(ids["g/c"])
    assert box.status(ids["d"]) == ["running"]


def test_a_waiting_member_frees_max_parallel_and_needs_it_again_to_return() -> None:
    box = Box()
    parent = box.spawn()
    ids = begin(box, part("a", nesting=1), part("b"), groups=(GroupPlan("", max_parallel=1),), caller=parent)
    child = box.spawn(caller=ids["a"])
    box.wait(ids["a"], child)
    assert words(box, ids) == {"a": "waiting", "b": "running"}
    box.exit(child)
    assert words(box, ids) == {"a": "waiting", "b": "running"}
    box.exit(ids["b"])
    assert words(box, ids) == {"a": "running", "b": "completed"}


def test_fail_fast_stops_running_members_and_skips_the_rest() -> None:
    box = Box()
    ids = begin(box, part("a"), part("b"), part("c", "b"), part("d", "a"))
    box.exit(ids["a"], 3)
    assert words(box, ids) == {"a": "failed", "b": "stopping", "c": "skipped", "d": "skipped"}
    assert [effect.agent for effect in box.done(Terminate)] == [ids["b"]]
    assert box.agent(ids["c"]).reason == "a failed, and run fails fast"
    assert box.agent(ids["d"]).reason == "a did not complete: failed"
    box.exit(ids["b"], 143)
    end = ending(box)
    assert (end.status, end.reason) == (RunStatus.FAILED, f"a ({ids['a']}) failed: exit code 3")


def test_continue_on_error_runs_all_members_that_can_run() -> None:
    box = Box()
    ids = begin(box, part("a"), part("b"), part("c", "b"), part("d", "a"), groups=(GroupPlan("", is_fail_fast=False),))
    box.exit(ids["a"], 3)
    assert words(box, ids) == {"a": "failed", "b": "running", "c": "queued", "d": "skipped"}
    box.exit(ids["b"])
    box.exit(ids["c"])
    assert ending(box).status is RunStatus.FAILED


def test_a_failed_optional_member_fails_no_run_and_skips_its_dependents() -> None:
    box = Box()
    ids = begin(box, part("a"), part("o", is_required=False), part("p", "o", is_required=False))
    box.exit(ids["o"], 1)
    assert words(box, ids) == {"a": "running", "o": "failed", "p": "skipped"}
    box.exit(ids["a"])
    assert ending(box).status is RunStatus.COMPLETED


def test_a_run_with_a_skipped_required_member_fails_and_stops_no_other() -> None:
    box = Box()
    ids = begin(box, part("a"), part("o", is_required=False), part("p", "o"))
    box.exit(ids["o"], 1)
    assert words(box, ids) == {"a": "running", "o": "failed", "p": "skipped"}
    box.exit(ids["a"])
    end = ending(box)
    assert (end.status, end.reason) == (RunStatus.FAILED, f"p ({ids['p']}) skipped: o did not complete: failed")
    box.retry(ids["o"])
    box.exit(ids["o"])
    assert ending(box).reason == (
        f"p ({ids['p']}) was skipped, and nothing blocks it any more: `orchctl retry {end.run}` continues"
    )
    box.retry(ids["p"])
    box.exit(ids["p"])
    assert ending(box).status is RunStatus.COMPLETED


def test_a_group_with_a_skipped_required_member_fails_its_parent_fast() -> None:
    box = Box()
    parts = (part("g/a"), part("g/o", is_required=False), part("g/p", "g/o"), part("end", "g"), part("z"))
    ids = begin(box, *parts, groups=(WHOLE, GroupPlan("g")))
    box.exit(ids["g/o"], 1)
    assert box.status(ids["g/a"], ids["z"]) == ["running", "running"]
    box.exit(ids["g/a"])
    assert box.agent(ids["end"]).reason == "g did not complete: failed"
    assert box.status(ids["z"]) == ["stopping"]
    assert box.agent(ids["z"]).reason == "g/p was skipped, and run fails fast"


def test_a_run_fails_when_a_required_group_is_skipped_entirely() -> None:
    box = Box()
    parts = (part("o", is_required=False), part("g/p", is_required=False))
    ids = begin(box, *parts, groups=(WHOLE, GroupPlan("g")), group_after={"g": ("o",)})
    box.exit(ids["o"], 1)
    end = ending(box)
    assert (end.status, end.reason) == (RunStatus.FAILED, f"g/p ({ids['g/p']}) skipped: o did not complete: failed")


def test_a_member_awaiting_its_retry_is_cancelled_with_its_group() -> None:
    box = Box()
    ids = begin(box, part("a"), part("b", retries=2), part("c", "b"))
    box.exit(ids["b"], 3)
    assert words(box, ids) == {"a": "running", "b": "queued", "c": "queued"}
    began = box.agent(ids["b"]).started_at
    box.exit(ids["a"], 1)
    assert words(box, ids) == {"a": "failed", "b": "cancelled", "c": "skipped"}
    agent = box.agent(ids["b"])
    assert agent.reason == "a failed, and run fails fast; its attempt 1 ended before: exit code 3"
    assert (agent.attempt, agent.outcome.code if agent.outcome else None) == (1, 3)
    assert began is not None
    assert agent.started_at == began
    assert ending(box).status is RunStatus.FAILED


def test_dependents_of_a_group_start_despite_a_failed_optional_member() -> None:
    box = Box()
    ids = begin(box, part("g/a"), part("g/o", is_required=False), part("end", "g"), groups=(WHOLE, GroupPlan("g")))
    box.exit(ids["g/o"], 1)
    assert box.status(ids["end"]) == ["queued"]
    box.exit(ids["g/a"])
    assert box.status(ids["end"]) == ["running"]


def test_dependents_of_a_failed_group_are_skipped_when_the_group_ends() -> None:
    box = Box()
    groups = (WHOLE, GroupPlan("g", is_fail_fast=False, is_required=False))
    ids = begin(box, part("g/a"), part("g/b"), part("end", "g", is_required=False), groups=groups)
    box.exit(ids["g/a"], 1)
    assert box.status(ids["end"]) == ["queued"]
    box.exit(ids["g/b"])
    assert box.agent(ids["end"]).reason == "g did not complete: failed"
    assert ending(box).status is RunStatus.COMPLETED


def test_ends_in_a_run_name_the_member_that_caused_them() -> None:
    box = Box()
    groups = (WHOLE, GroupPlan("g"))
    ids = begin(box, part("g/a"), part("g/b"), part("g/c", "g/b"), part("end", "g"), groups=groups)
    box.exit(ids["g/a"], 1)
    assert {event.agent: event.because for event in box.events(StopBegan)} == {ids["g/b"]: ids["g/a"]}
    assert {event.agent: event.because for event in box.events(AgentSkipped)} == {ids["g/c"]: ids["g/a"]}
    box.exit(ids["g/b"], 143)
    assert [box.agent(ids[path]).because for path in ("g/b", "end")] == [ids["g/a"], ids["g/a"]]
    assert ending(box).because == ids["g/a"]


def test_dependents_of_a_failed_group_name_the_member_that_failed_it() -> None:
    box = Box()
    groups = (WHOLE, GroupPlan("g", is_fail_fast=False, is_required=False))
    ids = begin(box, part("g/a"), part("g/b"), part("end", "g", is_required=False), groups=groups)
    box.exit(ids["g/a"], 1)
    box.exit(ids["g/b"])
    assert box.agent(ids["end"]).because == ids["g/a"]


def test_members_of_a_group_start_after_the_blockers_of_the_group() -> None:
    box = Box()
    ids = begin(box, part("first"), part("g/a"), groups=(WHOLE, GroupPlan("g")), group_after={"g": ("first",)})
    assert words(box, ids) == {"first": "running", "g/a": "queued"}
    box.exit(ids["first"])
    assert box.status(ids["g/a"]) == ["running"]


def test_members_of_a_group_are_iterated_once_however_many_end_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    box = Box(limit=2)
    ids = begin(box, *(part(f"p{number}") for number in range(50)))
    looks: list[object] = []
    monkeypatch.setattr(Run, "members_of", recording(looks, Run.members_of))
    box.tell(Cancel(box.request(), tuple(ids.values())))
    assert looks == [""]
    assert Counter(words(box, ids).values()) == {"stopping": 2, "cancelled": 48}


def test_runs_that_fail_at_once_are_each_cut_short() -> None:
    box = Box(limit=2)
    first, second = (begin(box, part("a"), part("b"), part("c")) for _ in range(2))
    box.tell(Cancel(box.request(), (first["c"], second["c"])))
    assert words(box, first) == {"a": "stopping", "b": "stopping", "c": "cancelled"}
    assert words(box, second) == {"a": "skipped", "b": "skipped", "c": "cancelled"}


def test_groups_that_fail_at_once_and_their_parents_are_each_cut_short() -> None:
    box = Box(limit=3)
    groups = (WHOLE, GroupPlan("g"), GroupPlan("g/i"), GroupPlan("h"), GroupPlan("k", is_fail_fast=False))
    paths = ("g/b", "g/i/b", "k/b", "g/a", "g/i/a", "h/a", "k/a", "c", "g/i/c")
    ids = begin(box, *map(part, paths), groups=groups)
    assert [path for path, word in words(box, ids).items() if word == "running"] == ["g/b", "g/i/b", "k/b"]
    box.tell(Cancel(box.request(), tuple(ids[path] for path in ("g/i/a", "g/a", "h/a"))))
    assert words(box, ids) == {
        **dict.fromkeys(("g/b", "g/i/b", "k/b"), "stopping"),
        **dict.fromkeys(("g/i/a", "g/a", "h/a"), "cancelled"),
        **dict.fromkeys(("k/a", "c", "g/i/c"), "skipped"),
    }
    assert len(box.events(StopBegan)) == 3
    reasons = {path: box.agent(ids[path]).reason for path in ("g/b", "g/i/c", "k/a")}
    assert reasons == {
        "g/b": "g/i/a failed, and g fails fast",
        "g/i/c": "g/i/a failed, and g/i fails fast",
        "k/a": "g/i/a failed, and run fails fast",
    }


def test_a_member_with_retries_fails_fast_only_after_the_last() -> None:
    box = Box()
    ids = begin(box, part("a", retries=1), part("b"))
    box.exit(ids["a"], 1)
    assert words(box, ids) == {"a": "queued", "b": "running"}
    box.sleep(2.0)
    box.exit(ids["a"], 1)
    assert words(box, ids) == {"a": "failed", "b": "stopping"}


def test_cancelled_members_make_a_cancelled_run() -> None:
    box = Box()
    ids = begin(box, part("a"), part("b", "a"))
    box.cancel(*ids.values())
    assert words(box, ids) == {"a": "stopping", "b": "cancelled"}
    box.exit(ids["a"], 143)
    assert ending(box).status is RunStatus.CANCELLED


def test_a_retried_run_continues_without_repeating_completed_members() -> None:
    box = Box()
    ids = begin(box, part("a"), part("b", "a"), part("c", "b"))
    box.exit(ids["a"])
    box.exit(ids["b"], 1)
    assert ending(box).status is RunStatus.FAILED
    box.retry(ids["b"], ids["c"])
    assert len(box.events(RunResumed)) == 1
    assert words(box, ids) == {"a": "completed", "b": "running", "c": "queued"}
    box.exit(ids["b"])
    box.exit(ids["c"])
    assert ending(box).status is RunStatus.COMPLETED
    assert box.agent(ids["a"]).attempt == 1


def test_a_run_with_only_its_failed_member_retried_does_not_complete() -> None:
    box = Box()
    ids = begin(box, part("a"), part("b", "a"))
    box.exit(ids["a"], 1)
    box.retry(ids["a"])
    box.exit(ids["a"])
    end = ending(box)
    assert (end.status, end.reason) == (
        RunStatus.FAILED,
        f"b ({ids['b']}) was skipped, and nothing blocks it any more: `orchctl retry {end.run}` continues",
    )
    box.retry(ids["b"])
    box.exit(ids["b"])
    assert ending(box).status is RunStatus.COMPLETED


def test_dependents_of_a_group_wait_for_its_retried_member() -> None:
    box = Box()
    ids = begin(box, part("g/o", is_required=False), part("g/a"), part("end", "g"), groups=(WHOLE, GroupPlan("g")))
    box.exit(ids["g/o"], 1)
    box.retry(ids["g/o"])
    box.exit(ids["g/a"])
    assert box.status(ids["end"]) == ["queued"]
    box.exit(ids["g/o"])
    assert box.status(ids["end"]) == ["running"]


@pytest.mark.parametrize(
    ("parts", "groups", "message"),
    [
        ((part("a", "b"), part("b", "a")), (WHOLE,), "dependency cycle: "),
        ((part("a", "a"),), (WHOLE,), "dependency cycle: a -> a"),
        (
            (part("api"), part("ui", "apy")),
            (WHOLE,),
            "'ui' comes after 'apy', which is not a node of its group; did you",
        ),
        (
            (part("g/a"), part("b", "g/a")),
            (WHOLE, GroupPlan("g")),
            "'b' comes after 'g/a', which is not a node of its group",
        ),
        ((part("a"), part("a")), (WHOLE,), "the path 'a' is used twice"),
        ((part("g/"),), (WHOLE, GroupPlan("g")), "the path 'g/' is empty"),
        ((part("a"), part("g/a")), (WHOLE,), "'g/a' is in 'g', which is not a group of this run"),
        ((part("a"),), (WHOLE, GroupPlan("g")), "the group 'g' has no members"),
        ((part("g/a"),), (GroupPlan("g"), WHOLE), "the first group must be the run itself"),
        ((part("a", nesting=28),), (WHOLE,), "nesting 28 needs more than 28"),
    ],
)
def test_an_inconsistent_run_is_refused_and_no_agent_is_queued(
    parts: tuple[Part, ...], groups: tuple[GroupPlan, ...], message: str
) -> None:
    box = Box()
    assert begin(box, *parts, groups=groups) == {}
    (refusal,) = box.done(Refuse)
    assert message in refusal.message
    assert not box.state.agents
    assert not box.state.runs


def test_a_run_with_too_many_dependencies_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchd.core.handlers.run.MOST_EDGES", 3)
    box = Box()
    assert begin(box, part("a"), part("b", "a"), part("c", "a", "b"), part("d", "c")) == {}
    assert box.refusal() == "bad-run"


@pytest.mark.parametrize("others", [0, 5])
def test_max_parallel_ignores_agents_outside_the_run(others: int) -> None:
    box = Box()
    for _ in range(others):
        box.spawn()
    ids = begin(box, part("a"), part("b"), part("c"), groups=(GroupPlan("", max_parallel=1),))
    assert sorted(words(box, ids).values()) == ["queued", "queued", "running"]


def test_a_run_with_too_many_children_for_its_caller_is_refused() -> None:
    box = Box(children=2)
    parent = box.spawn()
    assert begin(box, part("a"), part("b"), part("c"), caller=parent) == {}
    assert box.refusal() == "too-many-children"


def test_members_of_a_run_are_not_admitted_beyond_the_limit() -> None:
    box = Box(limit=2)
    begin(box, *(part(f"m{number}") for number in range(5)))
    assert len(box.events(AttemptAdmitted)) == 2
