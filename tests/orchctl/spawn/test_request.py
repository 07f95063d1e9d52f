"""Requests to spawn."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchctl.spawn import attributes
from orchctl.spawn.request import origin, with_absolute_paths
from orchd.instance import environment

HERE = Path("/work/here")


def test_paths_are_relative_to_the_client() -> None:
    spec = {"cwd": "sub", "stdin": "../in", "output_dir": "/out", "goal": "sub"}
    assert with_absolute_paths(spec, HERE) == {
        "cwd": "/work/here/sub",
        "stdin": "/work/here/../in",
        "output_dir": "/out",
        "goal": "sub",
    }


def test_invalid_paths_are_left_unchanged_for_validation() -> None:
    assert with_absolute_paths({"cwd": "", "stdin": 3}, HERE) == {"cwd": "", "stdin": 3}


def test_a_request_has_the_project_and_the_environment_but_no_agent_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "sub").mkdir()
    monkeypatch.setenv("MINE", "1")
    monkeypatch.setenv(environment.ENV_AGENT, "agent-001")
    request = origin(tmp_path / "sub")
    assert (request["cwd"], request["project"]) == (str(tmp_path / "sub"), str(tmp_path))
    assert request["env"]["MINE"] == "1"
    assert environment.ENV_AGENT not in request["env"]
    assert request["attributes"] == attributes.own()
