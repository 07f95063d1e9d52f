"""What becomes of runs and their groups, from the ends of their members."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchd.core.state.runs import GroupPlan, MemberRef, MemberResult, Run, RunPlan, number_of_run, recounted, run_id
from orchd.dag import around, groups_around

GOOD, BAD, SKIPPED = (
    MemberResult("completed", None),
    MemberResult("failed", "exit code 1"),
    MemberResult("skipped", "x did not complete"),
)


def made(*groups: GroupPlan, **members: bool) -> Run:
    """A run of the whole and `groups`; `g__a` is the member `g/a`, required or not."""
    run = Run(run_id(1), RunPlan("run", (GroupPlan(""), *groups), "/"), 0.0)
    for number, (name, is_required) in enumerate(members.items()):
        run.join(name.replace("__", "/"), MemberRef(f"agent-{number + 1:03d}", is_required))
    return run


def test_a_run_ends_with_its_last_member() -> None:
    run = made(a=True, b=True)
    run.close("a", GOOD)
    assert ("a" in run.ended, "b" in run.ended, run.tallies[""].unfinished) == (True, False, 1)
    run.close("b", GOOD)
    assert run.tallies[""].unfinished == 0
    assert run.bad_end("") is None


def test_a_group_ends_with_its_last_node_and_counts_as_a_single_node() -> None:
    run = made(GroupPlan("g"), GroupPlan("g/h"), a=True, g__b=True, g__h__c=True)
    assert run.tallies[""].unfinished == 2
    run.close("g/h/c", BAD)
    assert (run.bad_end("g/h"), run.bad_end("g")) == ("failed", None)
    run.close("g/b", GOOD)
    assert run.bad_end("g") == "failed"
    run.close("a", GOOD)
    assert run.bad_end("") == "failed"
    assert run.blame_in("") == "g/h/c"


@pytest.mark.parametrize(
    "ending", [BAD, MemberResult("cancelled", None), MemberResult("timed-out", None), MemberResult("lost", None)]
)
def test_only_required_nodes_fail_their_enclosing_group(ending: MemberResult) -> None:
    run = made(GroupPlan("g", is_required=False), a=False, g__b=True)
    run.close("a", ending)
    run.close("g/b", ending)
    assert run.bad_end("a") == ending.status
    assert run.bad_end("g") == "failed"
    assert run.bad_end("") is None


def test_a_skipped_member_counts_as_skipped_and_not_as_failed() -> None:
    run = made(a=True)
    run.close("a", SKIPPED)
    assert (run.bad_end("a"), run.bad_end("")) == ("skipped", "skipped")
    assert run.tallies[""].failed == 0


def test_the_first_required_failure_is_blamed() -> None:
    run = made(GroupPlan("g", is_required=False), o=False, g__b=True, c=True, d=True)
    for path in ("o", "g/b", "c", "d"):
        run.close(path, BAD)
    assert run.blame_in("") == "c"
    assert run.blame_in("g") == "g/b"


def test_a_retried_member_reopens_its_enclosing_groups() -> None:
    run = made(GroupPlan("g"), g__a=True, b=True)
    run.close("g/a", BAD)
    run.close("b", GOOD)
    assert run.bad_end("") == "failed"
    run.reopen("g/a")
    assert (run.tallies["g"].unfinished, run.tallies[""].unfinished, "b" in run.ended) == (1, 1, True)
    assert run.bad_end("g") is None
    run.close("g/a", GOOD)
    assert run.bad_end("") is None
    assert run.tallies[""].unfinished == 0


def test_a_group_includes_the_members_of_its_nested_groups() -> None:
    run = made(GroupPlan("g"), GroupPlan("g/h"), GroupPlan("gh"), a=True, g__b=True, g__h__c=True, gh__d=True)
    assert run.members_of("g") == ["agent-002", "agent-003"]
    assert run.members_of("") == ["agent-001", "agent-002", "agent-003", "agent-004"]


def test_agents_behind_a_member_include_the_dependents_of_its_groups() -> None:
    run = made(GroupPlan("g"), g__a=True)
    run.join("b", MemberRef("agent-002", True, ("g",)))
    run.join("g/c", MemberRef("agent-003", True, ("g/a",)))
    run.join("d", MemberRef("agent-004", True, ("b",)))
    assert list(run.agents_behind("g/a")) == ["agent-003", "agent-002"]
    assert list(run.agents_behind("d")) == []


def test_paths_and_ids() -> None:
    assert [around(path) for path in ("a", "g/a", "g/h/a")] == ["", "g", "g/h"]
    assert list(groups_around("g/h/a")) == ["g/h", "g", ""]
    assert list(groups_around("")) == []
    assert run_id(7) == "run-007"
    assert number_of_run("run-1234") == 1234


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from([GOOD, BAD, SKIPPED])), max_size=40), st.data())
def test_tallies_match_a_recount_after_any_closes_and_reopens(
    steps: list[tuple[int, MemberResult]], data: st.DataObject
) -> None:
    required = st.booleans()
    groups = (GroupPlan("g", is_required=data.draw(required)), GroupPlan("g/h", is_required=data.draw(required)))
    names = ("a", "b", "g__c", "g__d", "g__h__e", "g__h__f")
    run = made(*groups, **{name: data.draw(required) for name in names})
    paths = [name.replace("__", "/") for name in names]
    for index, ending in steps:
        path = paths[index]
        if path in run.ended:
            run.reopen(path)
        else:
            run.close(path, ending)
        assert run.tallies == recounted(run)
