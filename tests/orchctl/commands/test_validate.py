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
