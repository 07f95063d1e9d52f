"""`validate`, `plan` and `run --dry-run` refuse the same compositions as `orchctl run`, with the same place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from orchctl.composition import Task, load_tree, validate_skill_composition
from orchctl.runs import request
from tests.conftest import Instance
from tests.orchctl.composition.files import after, composition, written
from tests.orchctl.conftest import Orchctl

DEEP = 6  # compositions in each other, whose members' paths are too long together


def single_member(**fields: Any) -> dict[str, Any]:
    """A composition with one member."""
    return composition(after("a", **fields))


BAD = {
    "$.maxParallel": composition("a", maxParallel=1e20),
    "$.name": composition("a", name="n" * 100 + "é" * 51),
    "$.subSkills[0].tokenEstimate": single_member(tokenEstimate=1e25),
    "$.subSkills[0].id": single_member(id="é" * 101),
    "$.subSkills[0].role": single_member(role="a\0b"),
    "$.subSkills[0].prompt": single_member(prompt="\0"),
    "$.subSkills[0].command[1]": single_member(command=["echo", "\0"]),
    "$.subSkills[0].env.A": single_member(env={"A": "\0"}),
    "$.subSkills[0].model": single_member(model="m" * 201),
    "$.subSkills[0].timeout": single_member(timeout="9" * 400),
    "$.description": composition("a", description="\0"),
    "$.version": composition("a", version="\0"),
}
GOOD = [
    composition("a", maxParallel=10_000, name="é" * 100),
    single_member(tokenEstimate=10**12, id="é" * 100, model="m" * 200),
    single_member(timeout="9" * 300, prompt="é\n" * 5000, role="r" * 5000),
    single_member(tokenEstimate=0, timeout=0.001, **{"x-note": "\0"}),
]


@pytest.mark.parametrize("path", BAD)
def test_all_four_commands_refuse_an_invalid_value_with_its_path(
    path: str, orchctl: Orchctl, stopped: Instance, tmp_path: Path
) -> None:
    written(tmp_path / "team.json", BAD[path])
    (error,) = json.loads(orchctl("validate", "team.json", "--json").out)["errors"]
    assert error["path"] == path
    for words in (("plan",), ("run", "--dry-run"), ("run",)):
        result = orchctl(words[0], "team.json", *words[1:])
        assert (result.code, result.err.startswith(f"bad-composition: {path}: ")) == (1, True), result
    assert not stopped.home.socket.exists()
    assert not (tmp_path / ".agent").exists()


@pytest.mark.parametrize("value", GOOD, ids=range(len(GOOD)))
def test_values_at_their_limits_can_be_sent_and_written(value: dict[str, Any], tmp_path: Path) -> None:
    path = written(tmp_path / "team.json", value)
    assert validate_skill_composition(path).errors == ()
    tree = load_tree(path, tmp_path)
    with request.reserved(tmp_path, tree.composition.name) as results:
        launch = request.prepared(tree, Task(), runner=None, directory=tmp_path, results=results)
        request.sendable(launch)
        request.write_prompts(launch)


def test_all_four_commands_refuse_member_paths_that_are_too_long(orchctl: Orchctl, tmp_path: Path) -> None:
    for depth in range(DEEP):
        inner = f"{depth + 1}" * 200 if depth < DEEP - 1 else "leaf"
        written(tmp_path / "skills" / (f"{depth}" * 200) / "composition.json", composition(inner))
    for words in (("validate",), ("plan",), ("run", "--dry-run"), ("run",)):
        result = orchctl(words[0], "0" * 200, *words[1:])
        assert result.code == 1
        assert "has more than 1,000 bytes; reduce the nesting" in result.out + result.err


def test_dry_run_refuses_an_invalid_option_value(orchctl: Orchctl, tmp_path: Path) -> None:
    written(tmp_path / "team.json", composition("a"))
    result = orchctl("run", "team.json", "--dry-run", "--task-id", "x" * 201)
    assert (result.code, result.err[:18]) == (2, "usage: --task-id m")


@pytest.mark.parametrize("mode", ["hybrid", "sequential"])
def test_a_required_member_after_an_optional_dependency_is_a_warning(
    mode: str, orchctl: Orchctl, instance: Instance, tmp_path: Path
) -> None:
    lint = {"skillName": "lint", "role": "r", "required": False, "command": ["false"]}
    ship = after("ship", *(["lint"] if mode == "hybrid" else []), command=["true"])
    written(tmp_path / "team.json", composition(lint, ship, mode=mode))
    message = "warning: $.subSkills[1]: 'ship' is required, but its dependency 'lint' is optional"
    assert orchctl("validate", "team.json").out.startswith(message)
    plan = orchctl("plan", "team.json", "--json")
    assert [problem["code"] for problem in json.loads(plan.out)["warnings"]] == ["required-behind-optional"]
    for words in (("plan",), ("run", "--dry-run"), ("run",)):
        result = orchctl(words[0], "team.json", *words[1:])
        assert message in result.err
    assert result.code == 1
    assert "run-001 failed: ship (agent-002) skipped: lint did not complete: failed" in result.out + result.err


def test_both_members_required_or_both_optional_is_no_warning(orchctl: Orchctl, tmp_path: Path) -> None:
    lint = {"skillName": "lint", "role": "r", "required": False}
    for value in (composition(lint, after("ship", "lint", required=False)), composition("lint", after("ship", "lint"))):
        written(tmp_path / "team.json", value)
        assert orchctl("validate", "team.json").out == "team.json is valid\n"
