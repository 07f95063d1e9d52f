"""Worktrees that begin with the work of their agents' dependencies."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchctl.worktrees.create import read, record_path
from orchctl.worktrees.prune import Agents, Worktree
from orchd.instance import runner_report
from tests.orchctl import repos
from tests.orchctl.repos import Runner, commit, git

SHELL = "/bin/sh"


class Bench:
    """A repository, and agents with worktrees in it."""

    def __init__(self, directory: Path) -> None:
        self.repo = repos.repository(directory / "repo")
        self.base = git(self.repo, "rev-parse", "HEAD")
        self.home = directory / "home"

    def made(self, number: int, *after: int, attempt: int = 1, **env: str) -> Runner:
        """Make the worktree of one more agent, which must succeed."""
        runner = self.runner(number)
        result = self.run(runner, *after, attempt=attempt, **env)
        assert result == (0, "", ""), result
        return runner

    def runner(self, number: int) -> Runner:
        """Return the runner of an agent."""
        return Runner(self.home, f"agent-{number:03d}", f"dev-{number}")

    def run(self, runner: Runner, *after: int, attempt: int = 1, **env: str) -> tuple[int, str, str]:
        """Run it and return its exit code and output."""
        ids = ",".join(f"agent-{number:03d}" for number in after)
        variables = {"ORCHD_WORKTREE_BASE": self.base, "ORCHD_WORKTREE_AFTER": ids, **env}
        return runner.run(self.repo, "/bin/true", attempt=attempt, **variables)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A repository without agents."""
    return Bench(tmp_path)


def test_a_dependent_worktree_begins_at_the_tip_of_its_dependency(bench: Bench) -> None:
    tip = commit(bench.made(1).worktree, new="from 1")
    dependent = bench.made(2, 1)
    assert (dependent.worktree / "new").read_text() == "from 1"
    assert git(dependent.worktree, "rev-parse", "HEAD") == tip
    record = read(dependent.worktree)
    assert record is not None
    assert (record.start, record.merged) == (tip, ())


def test_commits_of_several_dependencies_are_merged_before_the_start(bench: Bench) -> None:
    tips = [commit(bench.made(number).worktree, **{f"new{number}": "x"}) for number in (1, 2, 3)]
    runner = bench.made(4, 1, 2, 3)
    assert sorted(path.name for path in runner.worktree.glob("new*")) == ["new1", "new2", "new3"]
    for tip in tips:
        git(runner.worktree, "merge-base", "--is-ancestor", tip, "HEAD")
    assert git(runner.worktree, "status", "--porcelain") == ""
    record = read(runner.worktree)
    assert record is not None
    assert record.merged == tuple(git(runner.worktree, "rev-list", "--merges", "--reverse", "HEAD").split())


def test_a_base_newer_than_the_dependency_is_merged_too(bench: Bench) -> None:
    commit(bench.made(1).worktree, new="x")
    bench.base = commit(bench.repo, later="y")
    tree = bench.made(2, 1).worktree
    assert ((tree / "new").exists(), (tree / "later").exists()) == (True, True)


def test_commits_already_in_the_base_are_not_merged_again(bench: Bench) -> None:
    commit(bench.made(1).worktree, new="x")
    git(bench.repo, "merge", "--quiet", "--no-ff", "--message", "m", "orchd/dev-1")
    bench.base = git(bench.repo, "rev-parse", "HEAD")
    assert git(bench.made(2, 1).worktree, "rev-parse", "HEAD") == bench.base
    git(bench.repo, "worktree", "remove", str(bench.runner(1).worktree))
    git(bench.repo, "branch", "--delete", "--force", "orchd/dev-1")
    assert git(bench.made(3, 1).worktree, "rev-parse", "HEAD") == bench.base


def test_a_merge_conflict_is_reported_and_the_worktree_is_removed(bench: Bench, tmp_path: Path) -> None:
    for number in (1, 2):
        commit(bench.made(number).worktree, a=f"by {number}")
    report = tmp_path / "report"
    runner = bench.runner(3)
    code, _, err = bench.run(runner, 1, 2, ORCHD_REPORT=str(report))
    assert (code, err.count("\n")) == (1, 1)
    assert err.startswith("merge-conflict: orchd/dev-3 cannot start with the work of all its dependencies: ")
    assert "orchd/dev-2 conflicts in a; " in err
    reported = runner_report.read(str(report))
    assert reported is not None
    assert reported.reason == err.strip()
    assert (runner.worktree.exists(), record_path(runner.worktree).exists()) == (False, False)
    assert "orchd/dev-3" not in repos.branches(bench.repo)
    git(bench.runner(2).worktree, "merge", "--quiet", "--strategy-option=ours", "orchd/dev-1")  # by a person
    assert (bench.made(3, 1, 2, attempt=2).worktree / "a").read_text() == "by 2"


def test_uncommitted_changes_of_a_dependency_are_reported_as_missing(bench: Bench) -> None:
    tree = bench.made(1).worktree
    (tree / "draft").touch()
    code, _, err = bench.run(bench.runner(2), 1)
    assert (code, err) == (0, "agent-001 left uncommitted work, which this worktree does not have: draft\n")


def test_dependencies_without_a_worktree_of_the_repository_are_ignored(bench: Bench, tmp_path: Path) -> None:
    other_repository = repos.repository(tmp_path / "other")
    runner = bench.runner(1)
    assert runner.run(other_repository, "/bin/true")[0] == 0
    commit(runner.worktree, new="x")
    assert git(bench.made(2, 1, 99).worktree, "rev-parse", "HEAD") == bench.base


def test_merge_ignores_failing_hooks_ff_only_setting_and_missing_identity(bench: Bench) -> None:
    for number in (1, 2):
        commit(bench.made(number).worktree, **{f"new{number}": "x"})
    for name in ("pre-merge-commit", "commit-msg", "prepare-commit-msg"):
        hook = bench.repo / ".git/hooks" / name
        hook.write_text("#!/bin/sh\nexit 1\n")
        hook.chmod(0o755)
    git(bench.repo, "config", "merge.ff", "only")
    git(bench.repo, "config", "user.useConfigOnly", "true")
    runner = bench.runner(3)
    for name in list(runner.env):
        if name.startswith(("GIT_AUTHOR", "GIT_COMMITTER", "EMAIL")):
            del runner.env[name]
    assert bench.run(runner, 1, 2) == (0, "", "")
    assert git(runner.worktree, "log", "-1", "--format=%cn") == "orchd"


def test_a_later_attempt_does_not_merge_again(bench: Bench) -> None:
    commit(bench.made(1).worktree, new="x")
    runner = bench.made(2, 1)
    tip = commit(bench.runner(1).worktree, newer="y")
    assert bench.run(runner, 1, attempt=2) == (0, "", "")
    assert not (runner.worktree / "newer").exists()
    assert git(bench.made(3, 1).worktree, "rev-parse", "HEAD") == tip


def test_initial_merge_commits_do_not_keep_a_worktree_from_being_pruned(bench: Bench) -> None:
    for number in (1, 2):
        commit(bench.made(number).worktree, **{f"new{number}": "x"})
    runner = bench.made(3, 1, 2)
    record = read(runner.worktree)
    assert record is not None
    agents = Agents({"agent-003": {"id": "agent-003", "status": "completed"}}, [])
    commit(runner.worktree, own="x")
    removal = Worktree(runner.worktree, record).pruned(agents, is_dry=False)
    assert "it has a commit that is in no other branch" in str(removal.reason)
    git(runner.worktree, "reset", "--quiet", "--hard", "HEAD~1")
    assert Worktree(runner.worktree, record).pruned(agents, is_dry=False).is_removed
    assert repos.branches(bench.repo) == ["main", "orchd/dev-1", "orchd/dev-2"]


def test_a_worktree_record_with_unknown_keys_is_read(bench: Bench) -> None:
    path = record_path(bench.made(1).worktree)
    path.write_text(json.dumps({**json.loads(path.read_text()), "colour": "red"}))
    assert read(bench.runner(1).worktree) is not None


LEAVING = {
    "feature": ["checkout", "-q", "-b", "feature"],
    "detached": ["checkout", "-q", "--detach"],
    "renamed": ["branch", "-m", "feature"],
}


@pytest.mark.parametrize("way", LEAVING)
def test_a_dependent_begins_at_the_head_of_a_dependency_off_its_branch(bench: Bench, way: str) -> None:
    first_tree = bench.made(1).worktree
    git(first_tree, *LEAVING[way])
    tip = commit(first_tree, x="1")
    code, out, err = bench.run(bench.runner(2), 1)
    assert (code, out) == (0, "")
    place = f"on a detached HEAD at {tip[:12]}" if way == "detached" else "on feature"
    assert err == f"agent-001 has 1 commit elsewhere: {place}, not on orchd/dev-1; this worktree starts with them\n"
    assert git(bench.runner(2).worktree, "rev-parse", "HEAD") == tip


def test_commits_of_a_head_off_its_branch_are_merged_with_others(bench: Bench) -> None:
    first_tree = bench.made(1).worktree
    git(first_tree, *LEAVING["feature"])
    commit(first_tree, x="1")
    commit(bench.made(2).worktree, y="1")
    assert bench.run(bench.runner(3), 1, 2)[0] == 0
    third_tree = bench.runner(3).worktree
    assert ((third_tree / "x").exists(), (third_tree / "y").exists()) == (True, True)


def test_a_dependent_is_refused_if_branch_and_head_have_diverged(bench: Bench) -> None:
    first_tree = bench.made(1).worktree
    commit(first_tree, y="1")
    git(first_tree, "checkout", "-q", "-b", "feature", bench.base)
    commit(first_tree, x="1")
    code, _, err = bench.run(bench.runner(2), 1)
    assert code == 1
    assert err.startswith("commits-elsewhere: agent-001 has 1 commit elsewhere: on feature, not on orchd/dev-1, and ")
    assert "orchd/dev-1 has commits that its HEAD lacks" in err
    assert not bench.runner(2).worktree.exists()


def test_a_dependency_head_without_own_commits_is_ignored(bench: Bench) -> None:
    first_tree = bench.made(1).worktree
    newer = commit(bench.repo, z="1")
    git(first_tree, "checkout", "-q", "--detach", newer)  # of `main`, which the branch came from
    bench.made(2, 1)
    git(first_tree, "checkout", "-q", "orchd/dev-1")
    tip = commit(first_tree, x="1")
    git(first_tree, "checkout", "-q", "-b", "same")
    assert git(bench.made(3, 1).worktree, "rev-parse", "HEAD") == tip


def test_the_head_of_a_moved_worktree_is_used(bench: Bench, tmp_path: Path) -> None:
    first_tree = bench.made(1).worktree
    git(first_tree, *LEAVING["detached"])
    tip = commit(first_tree, x="1")
    git(bench.repo, "worktree", "move", str(first_tree), str(tmp_path / "moved"))
    assert bench.run(bench.runner(2), 1)[0] == 0
    assert git(bench.runner(2).worktree, "rev-parse", "HEAD") == tip
