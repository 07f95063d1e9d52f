"""`orchctl validate`."""

from __future__ import annotations

import json
from pathlib import Path

from tests.conftest import Instance
from tests.orchctl.composition.files import after, composition, written
from tests.orchctl.conftest import Orchctl


def test_validate_reports_a_valid_composition(orchctl: Orchctl, tmp_path: Path, stopped: Instance) -> None:
    written(tmp_path / "team.json", composition("api"))
    assert orchctl("validate", "team.json") == (0, "team.json is valid\n", "")
    assert orchctl("validate", "skyfom-feature-complete") == (0, "skyfom-feature-complete is valid\n", "")
    assert not stopped.home.socket.exists()


def test_validate_reports_all_errors_at_once(orchctl: Orchctl, tmp_path: Path) -> None:
    written(tmp_path / "team.json", composition(after("a", "b"), after("b", "a"), after("c", "aa"), maxParallel=99))
    result = orchctl("validate", "team.json")
    assert (result.code, result.err) == (1, "")
    lines = result.out.splitlines()
    assert lines[0].startswith("error: $.subSkills[2].dependencies[0]: 'aa' is not a sub-skill")
    assert " -> " in lines[1]
    assert lines[2].startswith("warning: $.maxParallel: ")
    assert lines[3:] == ["team.json is invalid, errors: 2"]


def test_validate_json_has_the_errors_and_warnings(orchctl: Orchctl, tmp_path: Path) -> None:
    written(tmp_path / "team.json", '{"name": }')
    process = orchctl("validate", "team.json", "--json")
    result = json.loads(process.out)
    assert (process.code, result["valid"], result["warnings"]) == (1, False, [])
    assert result["errors"][0]["code"] == "not-json"
    assert "line 1 column 10" in result["errors"][0]["message"]


def test_a_missing_composition_is_a_usage_error(orchctl: Orchctl) -> None:
    result = orchctl("validate", "nothing")
    assert result.code == 2
    assert result.err.startswith("no-composition: ")


def test_the_example_is_a_valid_and_runnable_composition(orchctl: Orchctl, stopped: Instance, tmp_path: Path) -> None:
    result = orchctl("validate", "--example")
    assert (result.code, result.err) == (0, "")
    written(tmp_path / "example.json", result.out)
    assert orchctl("validate", "example.json") == (0, "example.json is valid\n", "")
    assert orchctl("run", "example.json", "--dry-run").code == 0
    assert not stopped.home.socket.exists()


def test_validate_requires_either_a_file_or_the_example(orchctl: Orchctl) -> None:
    for words in ((), ("x.json", "--example")):
        result = orchctl("validate", *words)
        assert (result.code, result.err[:7]) == (2, "usage: ")
