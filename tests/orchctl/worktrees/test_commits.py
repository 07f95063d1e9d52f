"""Commits of agents in their worktrees, and changes that plain commands leave uncommitted."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from orchctl.worktrees import commits
from orchd.instance import environment
from tests.orchctl.repos import commit, git
from tests.orchctl.worktrees.test_prune import Bench
from tests.orchctl.worktrees.test_prune import bench as bench  # noqa: PLC0414 - a fixture


def agent(tree: Path, **fields: object) -> dict[str, Any]:
    """Return a plain command that completed."""
    completed: dict[str, Any] = {"status": "completed", "worktree": str(tree), "runner": None, "notes": []}
    return {**completed, **fields}


def notes(agent: dict[str, Any]) -> list[str]:
    """Return the texts of the notes of an agent."""
    (note,) = commits.noted([agent])
    return [note["text"] for note in note["notes"]]


def test_uncommitted_changes_are_noted_until_they_are_committed(bench: Bench) -> None:
    assert notes(agent(bench.tree)) == []
    (bench.tree / "a").write_text("changed")
    (bench.tree / "new").mkdir()
    for name in ("new/b", "new/c"):
        (bench.tree / name).touch()
    assert notes(agent(bench.tree)) == ["uncommitted changes in 3 files"]
    commit(bench.tree, a="changed", **{"new/b": "1"})
    assert notes(agent(bench.tree)) == ["uncommitted changes in 1 file"]
    assert notes(agent(bench.tree, notes=[{"code": "x", "text": "first"}])) == [
        "first",
        "uncommitted changes in 1 file",
    ]


def test_only_plain_commands_completed_on_this_host_are_checked(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    (bench.tree / "a").write_text("changed")
    for fields in ({"status": "failed"}, {"status": "running"}, {"runner": "claude"}, {"worktree": None}):
        assert notes(agent(bench.tree, **fields)) == []
    monkeypatch.setenv(environment.ENV_PROFILE, "box")
    assert notes(agent(bench.tree)) == []


def test_a_deleted_worktree_gives_no_note_and_no_error(bench: Bench) -> None:
    (bench.tree / ".git").unlink()
    assert notes(agent(bench.tree)) == []
    shutil.rmtree(bench.tree)
    assert notes(agent(bench.tree)) == []


@pytest.mark.parametrize("fields", [{}, {"runner": "claude"}, {"status": "failed"}])
def test_commits_of_a_head_off_its_branch_are_noted(bench: Bench, fields: dict[str, object]) -> None:
    git(bench.tree, "checkout", "-q", "-b", "feature")
    assert notes(agent(bench.tree, **fields)) == []
    commit(bench.tree, b="1")
    assert notes(agent(bench.tree, **fields)) == ["1 commit elsewhere: on feature, not on orchd/api"]
    git(bench.tree, "branch", "--force", "orchd/api", "HEAD")
    assert notes(agent(bench.tree, **fields)) == []
