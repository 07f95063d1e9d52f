"""`orchctl validate`."""

from __future__ import annotations

import json
from pathlib import Path

from tests.conftest import Instance
from tests.orchctl.composition.files import after, composition, written
from tests.orchctl.conftest import Orchctl


def test_what_is_valid_is_said_to_be(orchctl: Orchctl, tmp_path: Path, stopped: Instance) -> None:
    written(tmp_path / "team.json", composition("api"))
    assert orchctl("validate", "team.json") == (0, "team.json is valid\n", "")
    assert orchctl("validate", "skyfom-feature-complete") == (0, "skyfom-feature-complete is valid\n", "")
    assert not stopped.home.socket.exists()


def test_every_error_is_told_at_once(orchctl: Orchctl, tmp_path: Path) -> None:
    written(tmp_path / "team.json", composition(after("a", "b"), after("b", "a"), after("c", "aa"), maxParallel=99))
    done = orchctl("validate", "team.json")
    assert (done.code, done.err) == (1, "")
    lines = done.out.splitlines()
    assert lines[0].startswith("error: $.subSkills[2].dependencies[0]: 'aa' is not a sub-skill")
    assert " -> " in lines[1]
    assert lines[2].startswith("warning: $.maxParallel: ")
    assert lines[3:] == ["team.json is invalid, errors: 2"]


def test_json_has_the_same(orchctl: Orchctl, tmp_path: Path) -> None:
    written(tmp_path / "team.json", '{"name": }')
    done = orchctl("validate", "team.json", "--json")
    found = json.loads(done.out)
    assert (done.code, found["valid"], found["warnings"]) == (1, False, [])
    assert found["errors"][0]["code"] == "not-json"
    assert "line 1 column 10" in found["errors"][0]["message"]


def test_no_composition_is_a_usage_error(orchctl: Orchctl) -> None:
    done = orchctl("validate", "nothing")
    assert done.code == 2
    assert done.err.startswith("no-composition: ")


def test_the_example_is_a_composition_that_is_valid_and_can_be_run(
    orchctl: Orchctl, stopped: Instance, tmp_path: Path
) -> None:
    done = orchctl("validate", "--example")
    assert (done.code, done.err) == (0, "")
    written(tmp_path / "example.json", done.out)
    assert orchctl("validate", "example.json") == (0, "example.json is valid\n", "")
    assert orchctl("run", "example.json", "--dry-run").code == 0
    assert not stopped.home.socket.exists()


def test_either_a_file_or_the_example_is_asked_for(orchctl: Orchctl) -> None:
    for words in ((), ("x.json", "--example")):
        done = orchctl("validate", *words)
        assert (done.code, done.err[:7]) == (2, "usage: ")
