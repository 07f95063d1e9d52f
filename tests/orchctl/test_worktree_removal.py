"""Worktrees that are removed by id, with force or without."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from orchctl.pruning import Agents, Outcome
from orchctl.worktree_removal import Lost, forced, removed
from orchctl.worktrees import record_path
from tests.orchctl.repos import commit, git
from tests.orchctl.test_pruning import GONE, OVER, Bench
from tests.orchctl.test_pruning import bench as bench  # noqa: PLC0414 - a fixture

AGENTS = Agents(OVER, [])


def by_force(bench: Bench) -> tuple[Outcome, Lost | None]:
    """What becomes of it with force, and what was reported while all of it was still there."""
    reports: list[Lost] = []

    def report(lost: Lost) -> None:
        assert "orchd/api" in git(bench.repo, "branch", "--list", "orchd/*")
        reports.append(lost)

    outcome = forced(bench.worktree(), AGENTS, report)
    return outcome, reports[0] if reports else None


def test_force_takes_commits_changes_and_hidden_files_and_reports_each(bench: Bench) -> None:
    bench.ignores("*.log")
    tip = commit(bench.tree, "Add c", c="one")
    for name in ("a", "new", "x.log"):
        (bench.tree / name).write_text("changed")
    outcome, lost = by_force(bench)
    assert outcome == GONE
    assert bench.is_gone()
    assert lost is not None
    assert [(one.name, one.commit, one.commits) for one in lost.tips] == [("orchd/api", tip, [tip])]
    assert lost.uncommitted == ["a", "new"]
    assert lost.hidden == "it has files that git ignores: x.log"


def test_nothing_is_lost_of_what_is_merged_and_clean(bench: Bench) -> None:
    commit(bench.tree, c="one")
    git(bench.repo, "merge", "--quiet", "orchd/api")
    assert by_force(bench) == (GONE, Lost([], [], None))


def test_commits_of_a_detached_head_get_a_name_of_their_own(bench: Bench) -> None:
    git(bench.tree, "checkout", "--quiet", "--detach")
    tip = commit(bench.tree, c="one")
    outcome, lost = by_force(bench)
    assert outcome == GONE
    assert lost is not None
    assert [(one.name, one.commit) for one in lost.tips] == [("orchd/api-detached", tip)]


def test_a_locked_one_stays_also_with_force(bench: Bench) -> None:
    git(bench.repo, "worktree", "lock", "--reason", "on a stick", str(bench.tree))
    outcome, lost = by_force(bench)
    assert (outcome.is_removed, lost) == (False, None)
    assert outcome.reason == "it is locked: on a stick; `git worktree unlock` opens it"


def test_a_directory_that_is_gone_is_removed_with_what_its_branch_had(bench: Bench) -> None:
    tip = commit(bench.tree, c="one")
    shutil.rmtree(bench.tree)
    refused = removed(bench.worktree(), AGENTS)
    assert not refused.is_removed
    assert str(refused.reason).endswith(f"unmerged: {tip[:7]} more")
    outcome, lost = by_force(bench)
    assert outcome == GONE
    assert lost is not None
    assert [one.commit for one in lost.tips] == [tip]
    assert bench.is_gone()


def test_one_that_git_does_not_list_stays_also_with_force(bench: Bench) -> None:
    bench.tree.rename(bench.tree.with_name("away"))
    git(bench.repo, "worktree", "prune")
    bench.tree.mkdir()
    outcome, _ = by_force(bench)
    assert str(outcome.reason).startswith("git knows of no worktree there")


def test_a_branch_that_is_checked_out_elsewhere_stays(bench: Bench) -> None:
    git(bench.tree, "checkout", "--quiet", "--detach")
    git(bench.repo, "checkout", "--quiet", "orchd/api")
    outcome, _ = by_force(bench)
    assert (outcome.is_removed, outcome.is_branch_deleted) == (True, False)
    assert f"its branch is checked out in {bench.repo}" == outcome.reason


def test_a_repository_that_was_moved_is_refused_until_it_is_repaired(bench: Bench, tmp_path: Path) -> None:
    bench.repo.rename(tmp_path / "moved")
    reason = str(forced(bench.worktree(), AGENTS, pytest.fail).reason)
    assert f"`git worktree repair {bench.tree}` in it" in reason
    git(tmp_path / "moved", "worktree", "repair", str(bench.tree))
    assert bench.worktree().record.repository == str(tmp_path / "moved/.git")
    assert removed(bench.worktree(), AGENTS) == GONE
    assert not bench.tree.exists()


def test_without_force_nothing_goes_when_only_a_part_could(bench: Bench) -> None:
    commit(bench.tree, c="one")
    shutil.rmtree(bench.tree)
    assert not removed(bench.worktree(), AGENTS).is_removed
    assert str(bench.tree) in git(bench.repo, "worktree", "list")


def test_an_agent_that_the_daemon_does_not_know_needs_force(bench: Bench) -> None:
    unknown = Agents({}, [])
    assert str(removed(bench.worktree(), unknown).reason).startswith("nobody knows what became of agent-001")
    assert forced(bench.worktree(), unknown, lambda _: None) == GONE


def test_a_worktree_that_was_never_finished_is_removed(bench: Bench) -> None:
    path = record_path(bench.tree)
    path.write_text(path.read_text().replace('"is_made": true', '"is_made": false'))
    git(bench.repo, "worktree", "lock", "--reason", "initializing", str(bench.tree))
    assert by_force(bench)[0] == GONE
    assert bench.is_gone()
