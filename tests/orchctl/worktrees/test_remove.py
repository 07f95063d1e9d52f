"""Worktrees that are removed by id, with force or without."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from orchctl.worktrees.create import record_path
from orchctl.worktrees.prune import Agents, Removal
from orchctl.worktrees.remove import Lost, forced, removed
from orchctl.worktrees.views import detailed, lines
from tests.orchctl.repos import SETTINGS, commit, git
from tests.orchctl.worktrees.test_prune import GONE, OVER, Bench
from tests.orchctl.worktrees.test_prune import bench as bench  # noqa: PLC0414 - a fixture

AGENTS = Agents({"agent-001": {**OVER["agent-001"], "name": "api"}}, [])


def by_force(bench: Bench) -> tuple[Removal, Lost | None]:
    """Remove by force; return the outcome, and the report that was made before the removal."""
    reports: list[Lost] = []

    def report(lost: Lost) -> None:
        assert "orchd/api" in git(bench.repo, "branch", "--list", "orchd/*")
        reports.append(lost)

    outcome = forced(bench.worktree(), AGENTS, report)
    return outcome, reports[0] if reports else None


def test_forced_removal_reports_lost_commits_changes_and_ignored_files(bench: Bench) -> None:
    bench.ignores("*.log")
    tip = commit(bench.tree, "Add c", c="one")
    for name in ("a", "new", "x.log"):
        (bench.tree / name).write_text("changed")
    outcome, lost = by_force(bench)
    assert outcome == GONE
    assert bench.is_gone()
    assert lost is not None
    assert [(tip.name, tip.commit, tip.commits) for tip in lost.tips] == [("orchd/api", tip, [tip])]
    assert lost.uncommitted == ["a", "new"]
    assert lost.hidden == "it has files that git ignores: x.log"


def test_forced_removal_of_a_clean_merged_worktree_reports_no_loss(bench: Bench) -> None:
    commit(bench.tree, c="one")
    git(bench.repo, "merge", "--quiet", "orchd/api")
    assert by_force(bench) == (GONE, Lost([], [], None))


def test_commits_of_a_detached_head_are_reported_under_their_own_name(bench: Bench) -> None:
    git(bench.tree, "checkout", "--quiet", "--detach")
    tip = commit(bench.tree, c="one")
    outcome, lost = by_force(bench)
    assert outcome == GONE
    assert lost is not None
    assert [(tip.name, tip.commit) for tip in lost.tips] == [("orchd/api-detached", tip)]


def test_a_locked_worktree_is_kept_even_with_force(bench: Bench) -> None:
    git(bench.repo, "worktree", "lock", "--reason", "on a stick", str(bench.tree))
    outcome, lost = by_force(bench)
    assert (outcome.is_removed, lost) == (False, None)
    assert outcome.reason == "it is locked: on a stick; unlock it with `git worktree unlock`"


def test_forced_removal_of_a_deleted_worktree_removes_its_unmerged_branch(bench: Bench) -> None:
    tip = commit(bench.tree, c="one")
    shutil.rmtree(bench.tree)
    refused = removed(bench.worktree(), AGENTS)
    assert not refused.is_removed
    assert str(refused.reason).endswith(f"unmerged: {tip[:7]} more")
    outcome, lost = by_force(bench)
    assert outcome == GONE
    assert lost is not None
    assert [tip.commit for tip in lost.tips] == [tip]
    assert bench.is_gone()


def test_a_worktree_that_git_does_not_list_is_kept_even_with_force(bench: Bench) -> None:
    bench.tree.rename(bench.tree.with_name("away"))
    git(bench.repo, "worktree", "prune")
    bench.tree.mkdir()
    outcome, _ = by_force(bench)
    assert str(outcome.reason).startswith("git lists no worktree there")


def test_a_branch_checked_out_elsewhere_is_kept(bench: Bench) -> None:
    git(bench.tree, "checkout", "--quiet", "--detach")
    git(bench.repo, "checkout", "--quiet", "orchd/api")
    outcome, _ = by_force(bench)
    assert (outcome.is_removed, outcome.is_branch_deleted) == (True, False)
    assert f"its branch is checked out in {bench.repo}" == outcome.reason


def test_removal_is_refused_until_a_moved_repository_is_repaired(bench: Bench, tmp_path: Path) -> None:
    bench.repo.rename(tmp_path / "moved")
    reason = str(forced(bench.worktree(), AGENTS, lambda lost: pytest.fail(str(lost))).reason)
    assert f"`git worktree repair {bench.tree}` in it" in reason
    git(tmp_path / "moved", "worktree", "repair", str(bench.tree))
    assert bench.worktree().record.repository == str(tmp_path / "moved/.git")
    assert removed(bench.worktree(), AGENTS) == GONE
    assert not bench.tree.exists()


def test_removal_without_force_is_all_or_nothing(bench: Bench) -> None:
    commit(bench.tree, c="one")
    shutil.rmtree(bench.tree)
    assert not removed(bench.worktree(), AGENTS).is_removed
    assert str(bench.tree) in git(bench.repo, "worktree", "list")


def test_removal_of_an_unknown_agents_worktree_requires_force(bench: Bench) -> None:
    unknown = Agents({}, [])
    assert str(removed(bench.worktree(), unknown).reason).startswith("the state of agent-001 is unknown")
    assert forced(bench.worktree(), unknown, lambda _: None) == GONE


def test_a_half_created_worktree_is_removed_by_force(bench: Bench) -> None:
    path = record_path(bench.tree)
    path.write_text(path.read_text().replace('"is_made": true', '"is_made": false'))
    git(bench.repo, "worktree", "lock", "--reason", "initializing", str(bench.tree))
    assert by_force(bench)[0] == GONE
    assert bench.is_gone()


def inner(bench: Bench, name: str) -> None:
    """A repository with three commits in the worktree, which git does not track."""
    repository = bench.tree / name
    repository.mkdir()
    git(repository, "init", "--quiet")
    for number in range(3):
        commit(repository, f=str(number))


def test_commits_of_a_nested_repository_are_reported_as_lost(bench: Bench) -> None:
    inner(bench, "inner")
    message = "inner/ (a repository with 3 commits)"
    assert str(removed(bench.worktree(), AGENTS).reason) == f"it has uncommitted work: {message}"
    _, lost = by_force(bench)
    assert lost is not None
    assert lost.hidden == f"it contains repositories, or work in submodules: {message}"


def test_show_does_not_suggest_adding_a_nested_repository(bench: Bench) -> None:
    inner(bench, "inner")
    view = detailed(bench.worktree(), AGENTS)
    assert view["repositories"] == ["inner/ (a repository with 3 commits)"]
    assert any("repositories" in line and "3 commits" in line for line in lines(view))
    assert not [step for step in view["next"] if " add " in step]
    (bench.tree / "new").touch()
    (step,) = [step for step in detailed(bench.worktree(), AGENTS)["next"] if " add " in step]
    subprocess.run(["sh", "-c", f"{step} -m new"], check=True, env={**os.environ, **SETTINGS}, timeout=30)
    assert git(bench.tree, "ls-tree", "--name-only", "HEAD").split() == ["a", "new", "sub"]
    assert git(bench.tree, "status", "--porcelain") == "?? inner/"


@pytest.mark.parametrize("is_listed", [True, False])
def test_suggested_steps_for_a_worktree_without_a_git_file_work(bench: Bench, *, is_listed: bool) -> None:
    (bench.tree / "new").write_text("work")
    (bench.tree / ".git").unlink()
    if not is_listed:
        git(bench.repo, "worktree", "prune", "--expire=now")
    outcome, lost = by_force(bench)
    assert (outcome.is_removed, lost) == (False, None)
    view = detailed(bench.worktree(), AGENTS)
    assert not [step for step in view["next"] if "--force" in step]
    if is_listed:
        assert "worktree repair" in str(outcome.reason)
        subprocess.run(["sh", "-c", view["next"][0]], check=True, timeout=30)
        assert bench.kept() == "it has uncommitted work: new"
        assert by_force(bench)[0] == GONE
    else:
        subprocess.run(["sh", "-c", view["next"][1].partition(" && ")[0]], check=True, timeout=30)
        assert removed(bench.worktree(), AGENTS) == GONE
        assert (bench.tree.with_name("agent-001.away") / "new").read_text() == "work"


def test_suggested_step_for_a_locked_worktree_is_to_unlock_it(bench: Bench) -> None:
    git(bench.repo, "worktree", "lock", str(bench.tree))
    step, *_ = detailed(bench.worktree(), AGENTS)["next"]
    subprocess.run(["sh", "-c", step], check=True, timeout=30)
    assert removed(bench.worktree(), AGENTS) == GONE
