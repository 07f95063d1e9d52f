"""Compositions built in Python are refused for the same reasons as a file, and only CompositionError is raised."""

from __future__ import annotations

import math
from typing import Any

import pytest

from orchctl.composition import (
    Composition,
    CompositionError,
    CoordinationStrategy,
    SubSkill,
    plan_execution_order,
    validate_skill_composition,
)

A = SubSkill("a")
ITSELF: dict[str, Any] = {}
ITSELF["x-itself"] = ITSELF


def team(*sub_skills: Any, mode: Any = "hybrid", **fields: Any) -> Composition:
    """Return a composition of these sub-skills."""
    return Composition("team", mode, sub_skills, **fields)


@pytest.mark.parametrize(
    ("value", "code", "path"),
    [
        (None, "bad-value", "$"),
        ([], "bad-value", "$"),
        (3, "bad-value", "$"),
        ({1: "x"}, "bad-key", "$"),
        (ITSELF, "not-json", "$"),
        (Composition("team", "hybrid", None), "bad-value", "$.subSkills"),  # type: ignore[arg-type]
        (team(None), "bad-value", "$.subSkills[0]"),
        (team({"skillName": "a"}), "bad-value", "$.subSkills[0]"),
        (team(SubSkill("")), "empty", "$.subSkills[0].skillName"),
        (team(SubSkill("a", id="")), "empty", "$.subSkills[0].id"),
        (team(SubSkill(3)), "bad-value", "$.subSkills[0].skillName"),  # type: ignore[arg-type]
        (team(SubSkill("a", dependencies=("z",))), "unknown-dependency", "$.subSkills[0].dependencies[0]"),
        (team(A, SubSkill("b", dependencies="a")), "bad-value", "$.subSkills[1].dependencies"),  # type: ignore[arg-type]
        (team(SubSkill("a", dependencies=None)), "bad-value", "$.subSkills[0].dependencies"),  # type: ignore[arg-type]
        (team(SubSkill("a", env={1: "x"})), "bad-key", "$.subSkills[0].env"),  # type: ignore[dict-item]
        (team(SubSkill("a", env=None)), "bad-value", "$.subSkills[0].env"),  # type: ignore[arg-type]
        (team(SubSkill("a", timeout=math.nan)), "not-finite", "$.subSkills[0].timeout"),
        (team(A, max_parallel=math.nan), "bad-value", "$.maxParallel"),
        (team(A, max_parallel=True), "bad-value", "$.maxParallel"),
        (team(A, mode="weird"), "bad-value", "$.executionMode"),
        (team(A, mode=["hybrid"]), "bad-value", "$.executionMode"),
        (team(A, coordination_strategy=None), "bad-value", "$.coordinationStrategy"),
        (
            team(A, coordination_strategy=CoordinationStrategy("hope")),  # type: ignore[arg-type]
            "bad-value",
            "$.coordinationStrategy.errorHandling",
        ),
    ],
)
def test_an_invalid_python_value_is_reported_with_its_path(value: Any, code: str, path: str) -> None:
    valid, errors, _ = validate_skill_composition(value)
    assert not valid
    assert [(problem.code, problem.path) for problem in errors] == [(code, path)]


@pytest.mark.parametrize(
    "sub_skills",
    [
        None,
        3,
        "ab",
        [None],
        [{"skillName": "a"}],
        [SubSkill("")],
        [SubSkill("a", dependencies=None)],  # type: ignore[arg-type]
        [SubSkill("a", dependencies=("",))],
        [SubSkill("a", timeout=math.inf)],
    ],
    ids=repr,
)
def test_invalid_sub_skills_raise_a_composition_error(sub_skills: Any) -> None:
    with pytest.raises(CompositionError):
        plan_execution_order(sub_skills)


def test_lists_are_accepted_and_the_plan_contains_the_given_objects() -> None:
    first, second = SubSkill("a", env={"A": "1"}), SubSkill("b", dependencies=["a"])  # type: ignore[arg-type]
    assert validate_skill_composition(team(first, second)) == (True, (), ())
    ((first_planned,), (second_planned,)) = plan_execution_order([first, second])
    assert (first_planned is first, second_planned is second) == (True, True)
    assert plan_execution_order([]) == []
