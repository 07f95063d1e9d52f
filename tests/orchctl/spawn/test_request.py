"""What describes an agent."""

from __future__ import annotations

from pathlib import Path

from orchctl.spawn.request import placed

HERE = Path("/work/here")


def test_paths_are_relative_to_the_client() -> None:
    spec = {"cwd": "sub", "stdin": "../in", "output_dir": "/out", "goal": "sub"}
    assert placed(spec, HERE) == {
        "cwd": "/work/here/sub",
        "stdin": "/work/here/../in",
        "output_dir": "/out",
        "goal": "sub",
    }


def test_what_is_no_path_is_left_for_the_check() -> None:
    assert placed({"cwd": "", "stdin": 3}, HERE) == {"cwd": "", "stdin": 3}
