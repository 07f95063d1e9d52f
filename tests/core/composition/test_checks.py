"""What is wrong with a composition although its structure is right."""

from __future__ import annotations

import pytest

from orchd.core.composition import Composition, CoordinationStrategy, SubSkill, problems, warnings

A = SubSkill("a")


def made(*sub_skills: SubSkill, mode: str = "hybrid", **known: object) -> Composition:
    """A composition of these."""
    return Composition("team", mode, sub_skills, **known)


def after(name: str, *dependencies: str, **known: object) -> SubSkill:
    """One with dependencies."""
    return SubSkill(name, dependencies=dependencies, **known)


def test_nothing_is_wrong_with_a_good_one() -> None:
    good = made(A, after("b", "a"), SubSkill("a", id="again", runner="command", command=("true",)), max_parallel=3)
    assert problems(good) == []
    assert warnings(good, 3) == []


@pytest.mark.parametrize(
    ("composition", "code", "path", "value", "said"),
    [
        (made(), "no-sub-skills", "$.subSkills", [], "add at least one"),
        (made(A, A), "duplicate-name", "$.subSkills[1]", "a", "give one of them an `id`"),
        (made(after("a", "a")), "self-dependency", "$.subSkills[0].dependencies[0]", "a", "depends on itself"),
        (
            made(SubSkill("backend"), after("b", "backnd")),
            "unknown-dependency",
            "$.subSkills[1].dependencies[0]",
            "backnd",
            "did you mean 'backend'?",
        ),
        (made(after("b", "zzz")), "unknown-dependency", "$.subSkills[0].dependencies[0]", "zzz", "name one of the"),
        (
            made(SubSkill("dev", id="one"), after("b", "dev")),
            "unknown-dependency",
            "$.subSkills[1].dependencies[0]",
            "dev",
            "by its `id`",
        ),
        (made(A, after("b", "a"), mode="parallel"), "parallel-dependencies", "$.subSkills[1].dependencies", ["a"],
         "make `executionMode` hybrid"),
        (made(A, max_parallel=0), "too-small", "$.maxParallel", 0, "make it 1 or more"),
        (made(SubSkill("a", token_estimate=-5)), "too-small", "$.subSkills[0].tokenEstimate", -5, "make it 0 or more"),
        (made(A, coordination_strategy=CoordinationStrategy("retry", -1)), "too-small",
         "$.coordinationStrategy.maxRetries", -1, "make it 0 or more"),
        (made(SubSkill("a/b")), "bad-name", "$.subSkills[0].skillName", "a/b", "call it otherwise"),
        (made(SubSkill("a", id="..")), "bad-name", "$.subSkills[0].id", "..", "call it otherwise"),
        (made(SubSkill("a.prompt")), "bad-name", "$.subSkills[0].skillName", "a.prompt", "call it otherwise"),
        (Composition("x/y", "hybrid", (A,)), "bad-name", "$.name", "x/y", "call it otherwise"),
        (made(SubSkill("a", command=("",))), "no-command", "$.subSkills[0].command[0]", "", "program's name first"),
        (made(SubSkill("a", runner="command")), "no-command", "$.subSkills[0].runner", "command", "a `command`"),
    ],
    ids=lambda value: value if isinstance(value, str) and " " not in value else "",
)  # fmt: skip
def test_each_problem_has_its_place_its_value_and_a_way_out(
    composition: Composition, code: str, path: str, value: object, said: str
) -> None:
    (problem,) = problems(composition)
    assert (problem.code, problem.path, problem.value) == (code, path, value)
    assert said in str(problem)


def test_cycles_are_told_with_their_path_each_once() -> None:
    two = made(after("a", "b"), after("b", "a"), after("c", "d", "a"), after("d", "c"), SubSkill("e"))
    found = problems(two)
    assert [problem.code for problem in found] == ["cycle", "cycle"]
    assert sorted(map(len, (problem.value for problem in found))) == [3, 3]
    assert {frozenset(problem.value) for problem in found} == {frozenset("ab"), frozenset("cd")}
    assert found[0].path in ("$.subSkills[0].dependencies", "$.subSkills[1].dependencies")
    assert " -> " in found[0].message


def test_cycles_that_cross_are_told_as_one() -> None:
    crossing = made(after("a", "b"), after("b", "a", "c"), after("c", "b"))
    assert [problem.code for problem in problems(crossing)] == ["cycle"]


def test_all_are_told_at_once() -> None:
    bad = made(after("a", "b"), after("b", "a", "nobody"), SubSkill("b", token_estimate=-1), max_parallel=-1)
    codes = [problem.code for problem in problems(bad)]
    assert codes == ["duplicate-name", "unknown-dependency", "too-small", "too-small"]
    bad = made(after("a", "b"), after("b", "a", "nobody"), SubSkill("c", token_estimate=-1), max_parallel=-1)
    assert [problem.code for problem in problems(bad)] == ["unknown-dependency", "cycle", "too-small", "too-small"]


def test_when_a_name_is_missing_nobody_is_called_unknown() -> None:
    assert problems(made(SubSkill(""), after("b", "nobody"))) == []


def test_nearest_names_are_not_looked_for_without_end() -> None:
    many = made(*(after(f"member-{index}", f"membre-{index}") for index in range(2000)))
    found = problems(many)
    assert len(found) == 2000
    assert "did you mean" in found[0].way_out
    assert "did you mean" not in found[-1].way_out


def test_a_bound_above_the_limit_is_a_warning() -> None:
    (problem,) = warnings(made(A, max_parallel=9), 7)
    assert (problem.code, problem.path, problem.value) == ("above-limit", "$.maxParallel", 9)
    assert "only 7 agents" in problem.message


def test_retries_that_are_never_made_are_a_warning() -> None:
    (problem,) = warnings(made(A, coordination_strategy=CoordinationStrategy("fail-fast", 2)), 7)
    assert (problem.code, problem.value) == ("unused-retries", 2)
    assert warnings(made(A, coordination_strategy=CoordinationStrategy("retry", 2)), 7) == []
