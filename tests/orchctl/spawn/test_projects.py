"""Which project a directory belongs to."""

from __future__ import annotations

from pathlib import Path

from orchd.instance.projects import project_of


def test_the_nearest_checkout_around_it(tmp_path: Path) -> None:
    inner = tmp_path / "outer/inner/deep"
    inner.mkdir(parents=True)
    assert project_of(inner) == inner
    (tmp_path / "outer/.git").mkdir()
    assert project_of(inner) == tmp_path / "outer"
    (tmp_path / "outer/inner/.git").write_text("gitdir: elsewhere\n")  # as git worktrees have it
    assert project_of(inner) == tmp_path / "outer/inner"
