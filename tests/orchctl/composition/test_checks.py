"""Problems of a composition whose structure is right."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from orchctl.composition import Composition, CoordinationStrategy, Problem, SubSkill
from orchctl.composition.checks import problems, warnings

A = SubSkill("a")
BY_ID = "name one of the sub-skills, by its `id` if it has one"
OTHERWISE = "choose another name: result files have this name, so not `.` or `..`, no `/`, and no `.prompt` at its end"


def team(*sub_skills: SubSkill, mode: Literal["parallel", "hybrid"] = "hybrid", **fields: Any) -> Composition:
    """Return a composition of these sub-skills."""
    return Composition("team", mode, sub_skills, **fields)


def after(name: str, *dependencies: str) -> SubSkill:
    """Return a sub-skill with dependencies."""
    return SubSkill(name, dependencies=dependencies)


def test_a_valid_composition_has_no_problems_or_warnings() -> None:
    good = team(A, after("b", "a"), SubSkill("a", id="again", runner="command", command=("true",)), max_parallel=3)
    assert problems(good) == []
    assert warnings(good, 3) == []


@pytest.mark.parametrize(
    ("composition", "code", "path", "value", "message"),
    [
        (team(), "no-sub-skills", "$.subSkills", [], "there are no sub-skills; add at least one"),
        (
            team(A, A),
            "duplicate-name",
            "$.subSkills[1]",
            "a",
            "the name 'a' is already used by an earlier sub-skill; give one of them its own `id`",
        ),
        (
            team(after("a", "a")),
            "self-dependency",
            "$.subSkills[0].dependencies[0]",
            "a",
            "'a' depends on itself; remove it",
        ),
        (
            team(SubSkill("backend"), after("b", "backnd")),
            "unknown-dependency",
            "$.subSkills[1].dependencies[0]",
            "backnd",
            "'backnd' is not a sub-skill; did you mean 'backend'?",
        ),
        (
            team(after("b", "zzz")),
            "unknown-dependency",
            "$.subSkills[0].dependencies[0]",
            "zzz",
            f"'zzz' is not a sub-skill; {BY_ID}",
        ),
        (
            team(SubSkill("dev", id="one"), after("b", "dev")),
            "unknown-dependency",
            "$.subSkills[1].dependencies[0]",
            "dev",
            f"'dev' is not a sub-skill; {BY_ID}",
        ),
        (
            team(A, after("b", "a"), mode="parallel"),
            "parallel-dependencies",
            "$.subSkills[1].dependencies",
            ["a"],
            "'b' has dependencies, but in parallel mode all start at once; set `executionMode` to hybrid",
        ),
        (
            team(A, max_parallel=0),
            "too-small",
            "$.maxParallel",
            0,
            "maxParallel must be 1 or more, not 0; correct it, or remove it",
        ),
        (
            team(SubSkill("a", token_estimate=-5)),
            "too-small",
            "$.subSkills[0].tokenEstimate",
            -5,
            "tokenEstimate must be 0 or more, not -5; correct it, or remove it",
        ),
        (
            team(A, coordination_strategy=CoordinationStrategy("retry", -1)),
            "too-small",
            "$.coordinationStrategy.maxRetries",
            -1,
            "maxRetries must be 0 or more, not -1; correct it, or remove it",
        ),
        (
            team(SubSkill("a/b")),
            "bad-name",
            "$.subSkills[0].skillName",
            "a/b",
            f"'a/b' is not a valid name; {OTHERWISE}",
        ),
        (team(SubSkill("a", id="..")), "bad-name", "$.subSkills[0].id", "..", f"'..' is not a valid name; {OTHERWISE}"),
        (
            team(SubSkill("a.prompt")),
            "bad-name",
            "$.subSkills[0].skillName",
            "a.prompt",
            f"'a.prompt' is not a valid name; {OTHERWISE}",
        ),
        (Composition("x/y", "hybrid", (A,)), "bad-name", "$.name", "x/y", f"'x/y' is not a valid name; {OTHERWISE}"),
        (team(SubSkill("a", id=".")), "bad-name", "$.subSkills[0].id", ".", f"'.' is not a valid name; {OTHERWISE}"),
        (
            team(SubSkill("a", command=("",))),
            "no-command",
            "$.subSkills[0].command[0]",
            "",
            "the command has no program; write the program's name first",
        ),
        (
            team(SubSkill("a", runner="command")),
            "no-command",
            "$.subSkills[0].runner",
            "command",
            "'a' has no command to run; give it a `command`, or another runner",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and " " not in value else "",
)
def test_each_problem_has_a_path_a_value_and_a_way_out(
    composition: Composition, code: str, path: str, value: object, message: str
) -> None:
    (problem,) = problems(composition)
    assert (problem.code, problem.path, problem.value) == (code, path, value)
    assert f"{problem.message}; {problem.way_out}" == message


def test_a_name_with_a_nul_byte_is_a_problem() -> None:
    (problem,) = problems(team(SubSkill("a\0b")))
    assert (problem.code, problem.path, problem.value) == ("bad-name", "$.subSkills[0].skillName", "a\0b")


def test_each_cycle_is_reported_once_with_its_path() -> None:
    two_cycles = team(after("a", "b"), after("b", "a"), after("c", "d", "a"), after("d", "c"), SubSkill("e"))
    found_problems = problems(two_cycles)
    assert [problem.code for problem in found_problems] == ["cycle", "cycle"]
    cycles: list[Any] = [problem.value for problem in found_problems]
    assert list(map(len, cycles)) == [3, 3]
    assert set(map(frozenset, cycles)) == {frozenset("ab"), frozenset("cd")}
    assert [problem.path for problem in found_problems] == [
        f"$.subSkills[{'abcd'.index(cycle[0])}].dependencies" for cycle in cycles
    ]
    assert " -> " in found_problems[0].message


def test_crossing_cycles_are_reported_as_one_cycle() -> None:
    crossing = team(after("a", "b"), after("b", "a", "c"), after("c", "b"))
    assert [problem.code for problem in problems(crossing)] == ["cycle"]


def test_all_problems_are_reported_at_once() -> None:
    bad = team(after("a", "b"), after("b", "a", "nobody"), SubSkill("b", token_estimate=-1), max_parallel=-1)
    codes = [problem.code for problem in problems(bad)]
    assert codes == ["duplicate-name", "unknown-dependency", "too-small", "too-small"]
    bad = team(after("a", "b"), after("b", "a", "nobody"), SubSkill("c", token_estimate=-1), max_parallel=-1)
    assert [problem.code for problem in problems(bad)] == ["unknown-dependency", "cycle", "too-small", "too-small"]


def test_a_missing_name_suppresses_unknown_dependency_problems() -> None:
    assert problems(team(SubSkill(""), after("b", "nobody"))) == []


def test_suggestions_for_unknown_names_are_limited() -> None:
    large = team(*(after(f"member-{index}", f"membre-{index}") for index in range(2000)))
    found_problems = problems(large)
    assert len(found_problems) == 2000
    assert ["did you mean" in problem.way_out for problem in found_problems] == [True] * 20 + [False] * 1980


def test_a_bound_above_the_limit_is_a_warning() -> None:
    message, way_out = "maxParallel is 9, but there are only 7 slots", "the limit applies; no change is needed"
    assert warnings(team(A, max_parallel=9), 7) == [Problem("above-limit", "$.maxParallel", 9, message, way_out)]
    assert warnings(team(A, max_parallel=7), 7) == []


def test_unused_retries_are_a_warning() -> None:
    path, way_out = "$.coordinationStrategy.maxRetries", "set `errorHandling` to retry, or remove `maxRetries`"
    expected = Problem("unused-retries", path, 2, "fail-fast does not retry", way_out)
    assert warnings(team(A, coordination_strategy=CoordinationStrategy("fail-fast", 2)), 7) == [expected]
    assert warnings(team(A, coordination_strategy=CoordinationStrategy("retry", 2)), 7) == []
