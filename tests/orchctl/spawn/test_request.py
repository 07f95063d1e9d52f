"""What describes an agent."""

from __future__ import annotations

from pathlib import Path

from orchctl.spawn.request import placed
from orchd.instance.projects import project_of

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


def test_the_project_is_the_nearest_checkout_around_the_directory(tmp_path: Path) -> None:
    inner = tmp_path / "outer/inner/deep"
    inner.mkdir(parents=True)
    assert project_of(inner) == inner
    (tmp_path / "outer/.git").mkdir()
    assert project_of(inner) == tmp_path / "outer"
    (tmp_path / "outer/inner/.git").write_text("gitdir: elsewhere\n")  # as git worktrees have it
    assert project_of(inner) == tmp_path / "outer/inner"
