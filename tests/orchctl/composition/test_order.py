"""Groups and orders of sub-skills in each mode."""

from __future__ import annotations

import pytest
from hypothesis import given

from orchctl.composition import (
    Composition,
    CompositionError,
    Problem,
    SubSkill,
    name_of,
    order_of,
)
from orchctl.composition.order import cyclic, plan, plan_execution_order
from tests.support.graphs import Graph, acyclic

TEAM = (
    SubSkill("backend"),
    SubSkill("frontend", dependencies=("backend",)),
    SubSkill("mobile", dependencies=("backend",)),
    SubSkill("tests", dependencies=("frontend", "mobile")),
)


def names(groups: list[list[SubSkill]]) -> list[list[str]]:
    """Return the names in each group."""
    return [[name_of(sub_skill) for sub_skill in group] for group in groups]


def sequential(graph: Graph) -> Composition:
    """Return a sequential composition with these dependencies."""
    return Composition("team", "sequential", tuple(SubSkill(name, dependencies=tuple(graph[name])) for name in graph))


def test_sub_skills_are_grouped_by_dependency_level() -> None:
    assert plan_execution_order(TEAM) == [[TEAM[0]], [TEAM[1], TEAM[2]], [TEAM[3]]]
    assert plan_execution_order([]) == []


def test_one_skill_may_appear_twice_under_two_names() -> None:
    twice = [SubSkill("dev", id="a"), SubSkill("dev", id="b", dependencies=("a", "a"))]
    assert names(plan_execution_order(twice)) == [["a"], ["b"]]


@pytest.mark.parametrize(
    ("sub_skills", "code", "message"),
    [
        ([SubSkill("a", dependencies=("b",)), SubSkill("b", dependencies=("a",))], "cycle", " -> "),
        ([SubSkill("a", dependencies=("a",))], "cycle", "a -> a"),
        ([SubSkill("a", dependencies=("z",))], "unknown-dependency", "'a' depends on 'z'"),
        (
            [SubSkill("a"), SubSkill("a")],
            "duplicate-name",
            r"\$\.subSkills\[1\]: the name 'a'.*give one of them its own `id`",
        ),
    ],
    ids=["cycle", "self", "unknown", "duplicate"],
)
def test_sub_skills_that_cannot_be_ordered_are_reported(sub_skills: list[SubSkill], code: str, message: str) -> None:
    with pytest.raises(CompositionError, match=message) as caught:
        plan_execution_order(sub_skills)
    assert [problem.code for problem in caught.value.problems] == [code]


def test_parallel_mode_puts_all_sub_skills_in_one_group() -> None:
    free = Composition("team", "parallel", (SubSkill("a"), SubSkill("b")))
    assert names(plan(free)) == [["a", "b"]]
    assert order_of(free) == {"a": [], "b": []}


def test_hybrid_mode_orders_sub_skills_by_dependencies() -> None:
    assert plan(Composition("team", "hybrid", TEAM)) == plan_execution_order(TEAM)


def test_sequential_mode_puts_each_sub_skill_in_its_own_group() -> None:
    listed = [SubSkill("c"), SubSkill("b", dependencies=("a",)), SubSkill("a"), SubSkill("d")]
    composition = Composition("team", "sequential", tuple(listed))
    assert names(plan(composition)) == [["c"], ["a"], ["b"], ["d"]]
    assert order_of(composition) == {"c": [], "b": ["a"], "a": ["c"], "d": ["b"]}


@given(acyclic())
def test_a_sequence_leaves_list_order_only_for_dependencies(graph: Graph) -> None:
    line = [name for (name,) in names(plan(sequential(graph)))]
    assert sorted(line) == sorted(graph)
    waiting = list(graph)
    for name in line:
        assert name == next(ready for ready in waiting if not set(graph[ready]) & set(waiting))
        waiting.remove(name)


def test_the_problem_of_a_cycle_has_its_path() -> None:
    cycle = ["a", "b", "a"]
    message, way_out = "dependency cycle: a -> b -> a", "remove one of these dependencies"
    assert cyclic(cycle, "$") == Problem("cycle", "$", cycle, message, way_out)
    assert cyclic(cycle).path == "$.subSkills"
