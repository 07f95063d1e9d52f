"""What no test of runs noticed when mutation testing broke it (docs/internals/mutation.md)."""

from __future__ import annotations

import pytest

from orchd.core.effects import Refuse
from orchd.core.handlers import run as running
from orchd.core.inputs import BeginRun, Exited, Part, Scope
from orchd.core.state.agents import AgentId, Outcome, Report, agent_id
from orchd.core.state.events import RunBegan
from orchd.core.state.runs import GroupPlan, RunPlan
from tests.core.box import WALL, Box, spec

WHOLE = GroupPlan("")
PATIENT = GroupPlan("", is_fail_fast=False)


def begin(
    box: Box, *parts: Part, groups: tuple[GroupPlan, ...] = (WHOLE,), caller: AgentId | None = None
) -> list[AgentId]:
    """The ids of a run's members, in the order given."""
    lasting = {part.path: 1.0 for part in parts}
    box.tell(BeginRun(box.request(), caller, RunPlan("run", groups, "/"), parts, {}, lasting))
    return list(box.answered())


def part(path: str, *after: str, is_required: bool = True, **fields: object) -> Part:
    """A member that is to be."""
    return Part(path, spec(path.replace("/", "-"), **fields), after, is_required)


def test_a_nested_group_that_fails_fast_stops_no_member_outside_the_group() -> None:
    box = Box()
    inner, beside, outer = begin(box, part("g/a"), part("g/b"), part("c"), groups=(PATIENT, GroupPlan("g")))
    box.exit(inner, 1)
    assert box.status(inner, beside, outer) == ["failed", "stopping", "running"]
    assert box.agent(beside).reason == "g/a failed, and g fails fast"


def test_a_failed_nested_group_makes_its_enclosing_group_fail_fast() -> None:
    box = Box()
    inner, outer = begin(box, part("g/a"), part("b"), groups=(WHOLE, GroupPlan("g", is_fail_fast=False)))
    box.exit(inner, 1)
    assert box.status(inner, outer) == ["failed", "stopping"]


def test_a_stopping_member_is_not_retried_after_its_run_failed_fast() -> None:
    box = Box()
    first, second = begin(box, part("a"), part("b", retries=1))
    box.exit(second, 1, is_tree_gone=False)
    box.exit(first, 1)
    box.tree_gone(second)
    assert box.status(first, second) == ["failed", "failed"]


def test_a_rate_limited_member_is_queued_again_while_its_run_continues() -> None:
    box = Box()
    first, second = begin(box, part("a", runner="claude"), part("b"))
    report = Report(limited_until=WALL + box.now + 60.0)
    box.tell(Exited(first, 1, Outcome(75, report=report), is_tree_gone=True))
    assert box.status(first, second) == ["queued", "running"]


def test_max_parallel_of_a_group_applies_to_its_nested_groups() -> None:
    box = Box()
    groups = (PATIENT, GroupPlan("g", max_parallel=1), GroupPlan("g/h"))
    ids = begin(box, part("g/b"), part("g/h/a"), part("c"), groups=groups)
    assert sorted(box.status(*ids)) == ["queued", "running", "running"]
    again = Box()
    groups = (GroupPlan("", max_parallel=1), GroupPlan("g"), GroupPlan("g/h"))
    ids = begin(again, part("b"), part("g/h/a"), groups=groups)
    assert sorted(again.status(*ids)) == ["queued", "running"]


def test_a_run_completes_only_after_both_of_its_groups() -> None:
    box = Box()
    first, second = begin(box, part("g/a"), part("h/b"), groups=(WHOLE, GroupPlan("g"), GroupPlan("h")))
    (run,) = box.state.runs.values()
    box.exit(first)
    assert run.status.value == "running"
    box.exit(second)
    assert run.status.value == "completed"


def test_dependents_of_a_group_with_only_skipped_members_are_skipped() -> None:
    box = Box()
    parts = (part("a"), part("z", "g"), Part("g/h/b", spec("b")))
    groups = (PATIENT, GroupPlan("g", is_fail_fast=False, is_required=False), GroupPlan("g/h", is_fail_fast=False))
    plan, lasting = RunPlan("run", groups, "/"), {part.path: 1.0 for part in parts}
    box.tell(BeginRun(box.request(), None, plan, parts, {"g": ("a",)}, lasting))
    first, last, inner = box.answered()
    box.exit(first, 1)
    assert box.status(first, inner, last) == ["failed", "skipped", "skipped"]
    assert box.agent(last).reason == "g did not complete: skipped"
    box.retry(first)
    box.retry(inner)
    assert box.status(first, inner, last) == ["running", "queued", "skipped"]
    run = box.state.runs["run-001"]  # type: ignore[index]
    assert {group: tally.tried for group, tally in run.tallies.items()} == {"": 0, "g": 0, "g/h": 0}


def test_fail_fast_names_a_failed_member_of_the_same_group() -> None:
    box = Box()
    groups = (PATIENT, GroupPlan("g", is_fail_fast=False), GroupPlan("h"))
    other, first, second = begin(box, part("g/a"), part("h/b"), part("h/c"), groups=groups)
    box.exit(other, 1)
    box.exit(first, 1)
    assert box.agent(second).reason == "h/b failed, and h fails fast"


def test_a_run_started_by_an_agent_inherits_its_session_and_ancestors() -> None:
    box = Box()
    (parent,) = box.batch(spec("parent", retries=1), scope=Scope("/project"))
    box.exit(parent, 1)
    box.sleep(10.0)
    (child,) = begin(box, part("a"), caller=parent)
    (began,) = box.events(RunBegan)
    assert began.plan.ancestors == (parent,)
    assert (began.plan.session, box.agent(child).spec.session) == ("session-001", "session-001")
    assert box.agent(child).parent_attempt == 2
    assert box.state.runs[began.run].began_at == WALL + box.now
    assert box.state.sessions[began.plan.session].opened_at == WALL + 1000.0
    begin(box, part("b"))
    assert box.agent(agent_id(3)).parent_attempt == 0


def test_a_run_with_the_maximum_number_of_dependencies_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "MOST_EDGES", 2)
    assert len(begin(Box(), part("a"), part("b", "a"), part("c", "b"))) == 3


def test_a_cycle_refusal_names_the_members_of_the_cycle() -> None:
    box = Box()
    assert begin(box, part("a", "b"), part("b", "a")) == []
    (refusal,) = box.done(Refuse)
    assert refusal.code == "cycle"
    assert set(refusal.details["path"]) == {"a", "b"}
