"""Compositions from files, checked with their nested compositions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import orchctl.composition
from orchctl.composition import (
    Composition,
    CompositionError,
    SubSkill,
    composition_from,
    flatten,
    load,
    load_tree,
    validate_skill_composition,
)
from tests.orchctl.composition.files import after, composition, written

FRONT = {
    "name": "fullstack",
    "executionMode": "hybrid",
    "maxParallel": 3,
    "subSkills": [
        {"skillName": "backend", "dependencies": [], "required": True},
        {"skillName": "frontend", "dependencies": ["backend"], "required": True},
    ],
}


def test_a_composition_without_roles_and_descriptions_is_valid() -> None:
    assert validate_skill_composition(FRONT) == (True, (), ())


def test_load_accepts_a_file_or_its_folder(tmp_path: Path) -> None:
    path = written(tmp_path / "team/composition.json", FRONT)
    assert load(path) == load(path.parent) == composition_from(FRONT)


def test_structural_and_semantic_errors_are_reported_at_once() -> None:
    value = composition(after("a", "b"), after("b", "a", role=3), after("c", "aa", 3), maxParallel=9, name=1)
    valid, errors, warnings = validate_skill_composition(value)
    assert not valid
    assert [(problem.code, problem.path) for problem in errors] == [
        ("bad-value", "$.name"),
        ("bad-value", "$.subSkills[1].role"),
        ("bad-value", "$.subSkills[2].dependencies[1]"),
        ("unknown-dependency", "$.subSkills[2].dependencies[0]"),
        ("cycle", errors[-1].path),
    ]
    assert [problem.code for problem in warnings] == ["above-limit"]
    assert validate_skill_composition({**FRONT, "maxParallel": 9}, limit=9).warnings == ()


def test_a_name_with_a_lone_surrogate_is_invalid(tmp_path: Path) -> None:
    path = written(tmp_path / "composition.json", composition("a", name="te\ud800am"))
    assert [problem.code for problem in validate_skill_composition(path).errors] == ["half-character"]


def test_a_composition_made_in_python_is_checked_too() -> None:
    assert validate_skill_composition(Composition("x", "hybrid", (SubSkill("a"),))).valid
    assert not validate_skill_composition(Composition("x", "hybrid", ())).valid


@pytest.mark.parametrize("text", ['{"name": ', "[]", '{"name": "a", "name": "b"}'])
def test_a_malformed_file_is_invalid_and_cannot_be_loaded(tmp_path: Path, text: str) -> None:
    path = written(tmp_path / "x.json", text)
    assert not validate_skill_composition(path).valid
    with pytest.raises(CompositionError):
        load(path)


def nested(tmp_path: Path, **files: Any) -> Path:
    """A folder of skills, each with a composition; the first of them."""
    for name, value in files.items():
        written(tmp_path / f"all/{name}/composition.json", value)
    return tmp_path / "all" / next(iter(files))


def test_a_skill_with_a_composition_of_its_own_is_nested(tmp_path: Path) -> None:
    written(tmp_path / "all/api/SKILL.md", "# API")
    outer = nested(tmp_path, outer=composition("api", after("web", "api")), web=composition("html", "css", name="web"))
    tree = load_tree(outer)
    assert [member.path for member in flatten(tree).members] == ["api", "web/html", "web/css"]
    assert tree.texts == {"api": "# API"}
    assert tree.nested["web"].origin == str(tmp_path / "all/web/composition.json")


def test_a_sub_skill_with_a_command_is_a_plain_member(tmp_path: Path) -> None:
    outer = nested(tmp_path, outer=composition(after("web", command=["make"])), web=composition("html"))
    assert [member.path for member in flatten(load_tree(outer)).members] == ["web"]


def test_errors_in_nested_compositions_are_reported_with_their_file(tmp_path: Path) -> None:
    outer = nested(tmp_path, outer=composition("web"), web=composition(after("a", "zz")))
    _, errors, _ = validate_skill_composition(outer, directory=tmp_path)
    assert [str(problem) for problem in errors] == [
        "all/web/composition.json: $.subSkills[0].dependencies[0]: 'zz' is not a sub-skill; "
        "name one of the sub-skills, by its `id` if it has one"
    ]


def test_a_file_cycle_is_reported_with_its_path(tmp_path: Path) -> None:
    outer = nested(tmp_path, a=composition("b"), b=composition("c"), c=composition("b"))
    _, errors, _ = validate_skill_composition(outer, directory=tmp_path)
    (problem,) = errors
    assert problem.code == "file-cycle"
    assert problem.message.count("composition.json") == 3
    assert "all/b/composition.json -> " in problem.message
    assert "/a/" not in problem.message


def test_a_composition_that_is_its_own_sub_skill_is_a_cycle(tmp_path: Path) -> None:
    outer = nested(tmp_path, a=composition("a"))
    assert [problem.code for problem in validate_skill_composition(outer).errors] == ["file-cycle"]


def test_the_same_file_may_be_nested_twice(tmp_path: Path) -> None:
    outer = nested(tmp_path, a=composition("b", after("b", id="again")), b=composition("x"))
    assert [member.path for member in flatten(load_tree(outer)).members] == ["b/x", "again/x"]


def test_nesting_that_yields_too_many_members_is_an_error(tmp_path: Path) -> None:
    twenty = range(20)
    files = {
        f"l{depth}": composition(*(after(f"l{depth + 1}", id=f"n{number}") for number in twenty)) for depth in range(5)
    }
    outer = nested(tmp_path, **files)
    assert [problem.code for problem in validate_skill_composition(outer).errors] == ["too-many-members"]


def test_a_deep_nesting_is_no_problem(tmp_path: Path) -> None:
    files = {f"l{depth}": composition(f"l{depth + 1}") for depth in range(150)}
    assert len(flatten(load_tree(nested(tmp_path, **files))).members) == 1


def test_an_unknown_skill_is_a_warning(tmp_path: Path) -> None:
    path = written(tmp_path / "x.json", composition({"skillName": "nowhere"}, "has-a-role"))
    valid, _, warnings = validate_skill_composition(path, directory=tmp_path)
    assert valid
    assert [(problem.code, problem.value) for problem in warnings] == [("unknown-skill", "nowhere")]


def test_the_package_exports_every_name_in_all() -> None:
    assert all(hasattr(orchctl.composition, name) for name in orchctl.composition.__all__)
