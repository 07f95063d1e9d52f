"""The git commands for worktrees."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from orchctl.errors import RefusedError
from orchctl.worktrees.git import ELSEWHERE, Git, surroundings
from tests.orchctl import repos


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """A repository with one commit."""
    return repos.repository(tmp_path / "repo")


def test_git_output_is_returned_without_the_last_newline(repo: Path) -> None:
    assert Git(repo).ask("rev-parse", "--abbrev-ref", "HEAD") == "main"
    assert Git(repo).is_true("rev-parse", "--verify", "--quiet", "main")
    assert not Git(repo).is_true("rev-parse", "--verify", "--quiet", "nothing")


def test_a_git_failure_is_one_line_with_the_message_of_git(repo: Path) -> None:
    with pytest.raises(RefusedError) as caught:
        Git(repo).ask("rev-parse", "--verify", "nothing")
    assert str(caught.value) == f"git-failed: `git rev-parse` in {repo}: Needed a single revision"


def test_git_variables_of_a_hook_do_not_redirect_git(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other_repository = repos.repository(tmp_path / "other")
    monkeypatch.setenv("GIT_DIR", str(other_repository / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other_repository))
    assert Git(repo).ask("rev-parse", "--show-toplevel") == str(repo)
    assert surroundings(dict.fromkeys([*ELSEWHERE, "HOME"], "x")) == {"HOME": "x"}


def test_all_local_variables_that_git_lists_are_removed(repo: Path) -> None:
    named = set(repos.git(repo, "rev-parse", "--local-env-vars").split())
    assert named - set(ELSEWHERE) <= {"GIT_CONFIG", "GIT_CONFIG_PARAMETERS", "GIT_CONFIG_COUNT"}


def test_git_waits_for_the_lock_of_another_git(repo: Path) -> None:
    lock = repo / ".git/refs/heads/new.lock"
    lock.touch()
    threading.Timer(0.3, lock.unlink).start()
    Git(repo).tell("branch", "new")
    assert "new" in repos.branches(repo)


def test_git_waits_for_a_worktree_that_another_git_is_creating(repo: Path, tmp_path: Path) -> None:
    repos.git(repo, "worktree", "add", "--quiet", str(tmp_path / "tree"))
    common = repo / ".git/worktrees/tree/commondir"
    text = common.read_text()
    common.write_text("")
    threading.Timer(0.3, common.write_text, [text]).start()
    Git(repo).tell("worktree", "add", str(tmp_path / "other"))


def test_a_lock_that_remains_is_reported_after_the_timeout(repo: Path) -> None:
    (repo / ".git/refs/heads/new.lock").touch()
    with pytest.raises(RefusedError, match=r"new\.lock': File exists"):
        Git(repo, patience=0.2).tell("branch", "new")


def test_a_missing_git_and_a_missing_directory_have_distinct_errors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RefusedError, match="no such directory"):
        Git(tmp_path / "none").ask("status")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RefusedError, match="^no-git: git is not on the PATH"):
        Git(tmp_path).ask("status")
