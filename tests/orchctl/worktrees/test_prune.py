"""Worktrees that can be removed: none whose work exists nowhere else."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from orchctl.worktrees.create import read, record_path
from orchctl.worktrees.prune import Agents, Removal, Worktree
from orchctl.worktrees.views import shown as shown_of
from tests.orchctl import repos
from tests.orchctl.repos import Runner, commit, git

OVER = {"agent-001": {"id": "agent-001", "status": "completed"}}
GONE = Removal(is_removed=True, is_branch_deleted=True, reason=None)


class Bench:
    """A repository and the worktree of agent-001 in it."""

    def __init__(self, directory: Path) -> None:
        self.repo = repos.repository(directory / "repo")
        self.home = directory / "home"
        self.tree = self.made("agent-001", "api")

    def made(self, agent: str, name: str) -> Path:
        """Make the worktree of one more agent."""
        runner = Runner(self.home, agent, name)
        assert runner.run(self.repo, "/bin/true")[0] == 0
        return runner.worktree

    def worktree(self, agent: str = "agent-001") -> Worktree:
        """Return the worktree as the client reads it."""
        record = read(self.home / "worktrees" / agent)
        assert record is not None
        return Worktree(self.home / "worktrees" / agent, record)

    def pruned(self, *, is_dry: bool = False, with_ignored: bool = False, **fields: Any) -> Removal:
        """Prune the worktree and return the outcome."""
        agents = Agents(**{"known": OVER, "living": [], **fields})
        return self.worktree().pruned(agents, is_dry=is_dry, with_ignored=with_ignored)

    def ignores(self, *patterns: str) -> None:
        """Let git ignore these patterns, in a commit that its branch and `main` have."""
        commit(self.tree, **{".gitignore": "\n".join(patterns)})
        git(self.repo, "merge", "--quiet", "orchd/api")

    def kept(self, *, with_ignored: bool = False, **fields: Any) -> str:
        """Return why the worktree stays, and check that it does."""
        before = git(self.repo, "for-each-ref"), git(self.repo, "worktree", "list", "--porcelain")
        paths = sorted(self.tree.rglob("*"))
        outcome = self.pruned(with_ignored=with_ignored, **fields)
        assert (outcome.is_removed, outcome.is_branch_deleted) == (False, False), outcome
        assert outcome.reason
        assert self.pruned(is_dry=True, with_ignored=with_ignored, **fields) == outcome
        assert (git(self.repo, "for-each-ref"), git(self.repo, "worktree", "list", "--porcelain")) == before
        assert sorted(self.tree.rglob("*")) == paths
        assert record_path(self.tree).exists()
        return outcome.reason

    def is_gone(self) -> bool:
        """Return whether nothing of the worktree is left."""
        is_left = self.tree.exists() or record_path(self.tree).exists() or "orchd/api" in repos.branches(self.repo)
        return not is_left and str(self.tree) not in git(self.repo, "worktree", "list")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A worktree without changes."""
    return Bench(tmp_path)


def test_a_worktree_without_work_is_pruned_with_its_branch_and_settings(bench: Bench) -> None:
    git(bench.repo, "config", "branch.orchd/api.description", "x")
    assert bench.pruned() == GONE
    assert bench.is_gone()
    assert "orchd/api" not in (bench.repo / ".git/config").read_text()
    assert repos.branches(bench.repo) == ["main"]


def test_a_dry_run_reports_the_same_outcome_and_removes_nothing(bench: Bench) -> None:
    assert bench.pruned(is_dry=True) == GONE
    assert bench.tree.exists()
    assert "orchd/api" in repos.branches(bench.repo)
    assert bench.pruned() == GONE


def test_a_worktree_with_merged_commits_is_pruned(bench: Bench) -> None:
    commit(bench.tree, c="done")
    git(bench.repo, "merge", "--quiet", "--no-ff", "--message", "m", "orchd/api")
    assert bench.pruned() == GONE
    assert bench.is_gone()


def test_a_worktree_with_commits_in_another_branch_is_pruned(bench: Bench) -> None:
    commit(bench.tree, c="done")
    git(bench.repo, "branch", "keep", "orchd/api")
    assert bench.pruned() == GONE
    assert bench.is_gone()


def test_a_worktree_with_commits_in_another_remote_branch_is_pruned(bench: Bench, tmp_path: Path) -> None:
    tip = commit(bench.tree, c="done")
    git(bench.repo, "update-ref", "refs/remotes/origin/orchd/api", tip)  # pushed, not merged
    assert "a commit that is in no other branch" in bench.kept()
    git(bench.repo, "update-ref", "refs/remotes/origin/main", tip)
    assert bench.pruned() == GONE


@pytest.mark.parametrize("status", ["queued", "starting", "running", "waiting", "stopping"])
def test_a_worktree_of_an_unfinished_agent_is_kept(bench: Bench, status: str) -> None:
    assert bench.kept(known={"agent-001": {"id": "agent-001", "status": status}}) == f"agent-001 is {status}"


def test_a_worktree_of_an_unknown_agent_is_kept(bench: Bench) -> None:
    assert bench.kept(known={}).startswith("the state of agent-001 is unknown")


def test_a_worktree_in_which_another_agent_runs_is_kept(bench: Bench, tmp_path: Path) -> None:
    assert bench.kept(living=[{"id": "agent-009", "cwd": str(bench.tree / "sub")}]) == "agent-009 is running in it"
    (tmp_path / "link").symlink_to(bench.tree)
    assert bench.kept(living=[{"id": "agent-009", "cwd": str(tmp_path / "link")}]) == "agent-009 is running in it"
    assert bench.pruned(living=[{"id": "agent-009", "cwd": f"{bench.tree}0"}]) == GONE


def test_changed_staged_or_deleted_files_keep_the_worktree(bench: Bench) -> None:
    (bench.tree / "a").write_text("changed")
    assert bench.kept() == "it has uncommitted work: a"
    git(bench.tree, "add", "a")
    assert bench.kept() == "it has uncommitted work: a"
    git(bench.tree, "reset", "--quiet", "--hard")
    (bench.tree / "a").unlink()
    assert bench.kept() == "it has uncommitted work: a"


def test_untracked_files_keep_the_worktree_even_if_git_hides_them(bench: Bench) -> None:
    git(bench.repo, "config", "status.showUntrackedFiles", "no")
    for name in ("new/x", "new/y", "z", "zz"):
        (bench.tree / name).parent.mkdir(exist_ok=True)
        (bench.tree / name).touch()
    assert bench.kept() == "it has uncommitted work: new/x, new/y, z and 1 more"


def test_a_repository_inside_the_worktree_keeps_the_worktree(bench: Bench) -> None:
    repos.repository(bench.tree / "inner")
    assert bench.kept() == "it has uncommitted work: inner/ (a repository with 1 commit)"


@pytest.mark.parametrize("flag", ["--assume-unchanged", "--skip-worktree"])
def test_changes_hidden_by_index_flags_keep_the_worktree(bench: Bench, flag: str) -> None:
    git(bench.tree, "update-index", flag, "a")
    (bench.tree / "a").write_text("changed")
    assert bench.kept() == "it has uncommitted work: a"
    assert bench.tree.joinpath("a").read_text() == "changed"


def test_unmerged_commits_keep_the_worktree_even_if_squashed_elsewhere(bench: Bench) -> None:
    commit(bench.tree, c="one")
    commit(bench.tree, c="two")
    assert bench.kept().startswith("it has 2 commits that are in no other branch: merge orchd/api first")
    git(bench.repo, "merge", "--quiet", "--squash", "orchd/api")
    git(bench.repo, "commit", "--quiet", "--message", "squashed")
    assert "2 commits" in bench.kept()


def test_commits_of_a_detached_head_keep_the_worktree(bench: Bench) -> None:
    git(bench.tree, "checkout", "--quiet", "--detach")
    commit(bench.tree, c="one")
    assert "a commit that is only in the commit " in bench.kept()
    git(bench.repo, "branch", "rescued", git(bench.tree, "rev-parse", "HEAD"))
    assert bench.pruned() == GONE


@pytest.mark.parametrize("words", [("checkout", "-q", "-b", "feature"), ("branch", "-m", "feature")])
def test_commits_of_another_current_branch_keep_the_worktree_until_merged(bench: Bench, words: tuple[str, ...]) -> None:
    git(bench.tree, *words)
    commit(bench.tree, c="one")
    assert bench.kept() == "it has a commit that is only in the branch feature: merge it first"
    git(bench.repo, "merge", "--quiet", "feature")
    assert bench.pruned().is_removed
    assert repos.branches(bench.repo) == ["feature", "main"]


def test_a_branch_checked_out_in_another_worktree_keeps_the_worktree(bench: Bench) -> None:
    git(bench.tree, "checkout", "--quiet", "--detach")
    git(bench.repo, "checkout", "--quiet", "orchd/api")
    assert bench.kept() == f"its branch is checked out in {bench.repo}"


def test_a_locked_worktree_is_kept(bench: Bench) -> None:
    git(bench.repo, "worktree", "lock", "--reason", "on a stick", str(bench.tree))
    assert bench.kept() == "it is locked: on a stick; unlock it with `git worktree unlock`"
    git(bench.repo, "worktree", "unlock", str(bench.tree))
    git(bench.repo, "worktree", "lock", str(bench.tree))
    assert bench.kept() == "it is locked; unlock it with `git worktree unlock`"


def test_a_worktree_with_a_merge_in_progress_is_kept(bench: Bench) -> None:
    git(bench.repo, "commit", "--quiet", "--allow-empty", "--message", "x")
    git(bench.tree, "merge", "--quiet", "--no-ff", "--no-commit", "main")
    assert bench.kept() == "a git operation is in progress in it (MERGE_HEAD)"


def test_a_worktree_that_git_does_not_list_is_kept(bench: Bench) -> None:
    (bench.tree / "mine").touch()
    bench.tree.rename(bench.tree.with_name("away"))
    git(bench.repo, "worktree", "prune")
    bench.tree.mkdir()
    assert bench.kept().startswith("git lists no worktree there")


def test_a_worktree_of_a_moved_repository_is_kept(bench: Bench, tmp_path: Path) -> None:
    bench.repo.rename(tmp_path / "moved")
    outcome = bench.pruned()
    assert not outcome.is_removed
    assert "no longer exists" in str(outcome.reason)
    assert bench.tree.exists()
    shutil.rmtree(bench.tree)
    assert bench.pruned().is_removed
    assert not record_path(bench.tree).exists()


def test_pruning_a_deleted_worktree_removes_only_its_own_git_entry(bench: Bench) -> None:
    second_tree = bench.made("agent-002", "ui")
    shutil.rmtree(bench.tree)
    shutil.rmtree(second_tree)
    assert bench.pruned() == GONE
    assert bench.is_gone()
    assert str(second_tree) in git(bench.repo, "worktree", "list")


def test_branch_of_a_deleted_worktree_is_kept_until_it_is_merged(bench: Bench) -> None:
    tip = commit(bench.tree, c="one")
    shutil.rmtree(bench.tree)
    outcome = bench.pruned()
    assert (outcome.is_removed, outcome.is_branch_deleted) == (True, False)
    assert "a commit that is in no other branch" in str(outcome.reason)
    assert git(bench.repo, "rev-parse", "orchd/api") == tip
    assert str(bench.tree) not in git(bench.repo, "worktree", "list")
    git(bench.repo, "merge", "--quiet", "orchd/api")
    assert bench.pruned() == GONE
    assert bench.is_gone()


def test_a_worktree_moved_by_git_is_located_and_pruned(bench: Bench, tmp_path: Path) -> None:
    second_tree = bench.made("agent-002", "ui")
    moved = tmp_path / "moved"
    git(bench.repo, "worktree", "move", str(bench.tree), str(moved))
    (moved / "new").touch()
    assert bench.pruned() == Removal(is_removed=False, is_branch_deleted=False, reason="it has uncommitted work: new")
    worktree = shown_of(bench.worktree(), OVER["agent-001"])
    assert (worktree["path"], worktree["agent"], worktree["uncommitted_files"]) == (str(moved), "agent-001", 1)
    (moved / "new").unlink()
    assert bench.pruned() == GONE
    assert bench.is_gone()
    assert (moved.exists(), second_tree.exists()) == (False, True)


def test_a_worktree_of_the_same_name_in_another_home_is_kept(bench: Bench, tmp_path: Path) -> None:
    git(bench.repo, "worktree", "remove", str(bench.tree))
    second_bench = Bench.__new__(Bench)
    second_bench.repo, second_bench.home = bench.repo, tmp_path / "home2"
    worktree = second_bench.made("agent-001", "second")
    assert bench.pruned() == GONE
    assert worktree.exists()


def test_an_already_removed_directory_is_not_reported_as_removed(bench: Bench) -> None:
    commit(bench.tree, c="one")
    shutil.rmtree(bench.tree)
    assert bench.pruned().is_removed
    outcome = bench.pruned()
    assert (outcome.is_removed, outcome.is_branch_deleted) == (False, False)
    assert str(outcome.reason).startswith(
        "its directory no longer exists; its branch orchd/api is kept: it has a commit"
    )


def test_a_detached_commit_keeps_the_git_entry_of_a_deleted_worktree(bench: Bench) -> None:
    git(bench.tree, "checkout", "--quiet", "--detach")
    commit(bench.tree, c="one")
    shutil.rmtree(bench.tree)
    assert "a commit that is only in the commit " in bench.kept()


def test_a_worktree_with_a_deleted_branch_is_pruned(bench: Bench) -> None:
    git(bench.tree, "checkout", "--quiet", "--detach")
    git(bench.repo, "branch", "--delete", "--force", "orchd/api")
    assert bench.pruned() == Removal(is_removed=True, is_branch_deleted=False, reason=None)
    assert bench.is_gone()


def test_a_commit_shared_by_two_worktrees_keeps_the_second_worktree(bench: Bench) -> None:
    tip = commit(bench.tree, c="one")
    second_tree = bench.made("agent-002", "ui")
    git(second_tree, "reset", "--quiet", "--hard", tip)
    agents = {**OVER, "agent-002": {"id": "agent-002", "status": "failed"}}
    assert bench.pruned(known=agents) == GONE
    outcome = bench.worktree("agent-002").pruned(Agents(agents, []), is_dry=False)
    assert not outcome.is_removed
    assert git(second_tree, "rev-parse", "orchd/ui") == tip


def test_a_half_created_worktree_is_pruned(bench: Bench) -> None:
    path = record_path(bench.tree)
    path.write_text(path.read_text().replace('"is_made": true', '"is_made": false'))
    git(bench.repo, "worktree", "lock", "--reason", "initializing", str(bench.tree))
    (bench.tree / "a").unlink()
    assert bench.pruned() == GONE
    assert bench.is_gone()


def test_worktree_view_shows_branch_status_and_uncommitted_work(bench: Bench) -> None:
    worktree = shown_of(bench.worktree(), OVER["agent-001"])
    assert worktree == {
        "path": str(bench.tree),
        "branch": "orchd/api",
        "agent": "agent-001",
        "status": "completed",
        "repository": str(bench.repo / ".git"),
        "origin": "main",
        "ahead": 0,
        "uncommitted": False,
        "uncommitted_files": 0,
        "elsewhere": None,
    }
    commit(bench.tree, c="one")
    (bench.tree / "new").touch()
    worktree = shown_of(bench.worktree(), None)
    assert (worktree["status"], worktree["ahead"], worktree["uncommitted"]) == (None, 1, True)
    git(bench.repo, "branch", "--move", "main", "trunk")
    assert shown_of(bench.worktree(), None)["ahead"] == 1
    shutil.rmtree(bench.tree)
    assert shown_of(bench.worktree(), None)["uncommitted"] is None
    shutil.rmtree(bench.repo)
    assert shown_of(bench.worktree(), None)["ahead"] is None
