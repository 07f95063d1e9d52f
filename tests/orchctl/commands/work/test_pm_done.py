"""`orchctl pm` with developers that completed and may have done nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from orchctl.pm.report import judged, lines, report, row_of
from tests.conftest import Instance
from tests.orchctl import repos
from tests.orchctl.agents import ended
from tests.orchctl.composition.files import after, composition, written
from tests.orchctl.conftest import Orchctl
from tests.orchctl.pm.pm_runs import MOCK, pm_report
from tests.orchctl.repos import commit, git
from tests.orchctl.worktrees.test_prune import Bench

COMMITS = "echo done >$ORCHD_RESULT; case $ORCHD_NAME in *a) git commit -q --allow-empty -m done;; esac"
RUNNER = f"[runners.hand]\ncommand = {json.dumps(['sh', '-c', COMMITS])}\nresult = 'exit-code'\n"
PLAN = "- [ ] A\n- [ ] B\n- [ ] C (after: b)\n"


@pytest.fixture
def repo(quick: Instance, tmp_path: Path) -> Path:
    """A repository with a plan, which git ignores, and a daemon that knows the runner `hand`."""
    quick.env.update(repos.SETTINGS)
    quick.configure(RUNNER)
    quick.ctl("config", "reload")
    repository = repos.repository(tmp_path / "repo")
    (repository / "plan.md").write_text(PLAN)
    return repository


def test_a_task_is_ticked_only_when_something_was_committed(quick: Instance, orchctl: Orchctl, repo: Path) -> None:
    words = ("pm", "--tasks", "plan.md", "--tick", "--worktree", "--runner", "hand")
    report = pm_report(orchctl(*words, "--json", cwd=repo), code=1)
    rows = {row["id"]: (row["status"], row["reason"], row["task"]) for row in report["developers"]}
    assert rows == {"a": ("completed", None, "ticked"), "b": ("failed", "nothing committed", "open")}
    assert [note["code"] for row in report["developers"] for note in row["notes"]] == ["nothing-committed"]
    assert report["left"] == {"c": "after b, which failed"}
    assert (repo / "plan.md").read_text() == PLAN.replace("[ ] A", "[x] A")
    statuses = {agent["name"]: agent["status"] for agent in quick.status("--all")["agents"]}
    assert statuses == {"a": "completed", "b": "completed"}


def test_a_team_task_fails_when_nothing_was_committed(quick: Instance, orchctl: Orchctl, repo: Path) -> None:
    for name, script in {"busy": "git commit -q --allow-empty -m done", "idle": "true"}.items():
        folder = repo / "skills" / name
        folder.mkdir(parents=True)
        written(folder / "composition.json", composition(after("inner", command=["sh", "-c", script])))
    (repo / "plan.md").write_text("- [ ] A (skill: busy)\n- [ ] B (skill: idle)\n")
    repos.git(repo, "add", "skills")
    repos.git(repo, "commit", "--quiet", "-m", "skills")
    words = ("pm", "--tasks", "plan.md", "--worktree", "--runner", "hand")
    report = pm_report(orchctl(*words, "--json", cwd=repo), code=1)
    rows = {row["id"]: (row["status"], row["reason"]) for row in report["developers"]}
    assert rows == {"a": ("completed", None), "b": ("failed", "nothing committed")}


def test_a_mock_task_is_ticked_without_commits(quick: Instance, orchctl: Orchctl, repo: Path) -> None:
    report = pm_report(orchctl("pm", "--tasks", "plan.md", "--tick", "--worktree", *MOCK, "--json", cwd=repo))
    assert {row["task"] for row in report["developers"]} == {"ticked"}


@pytest.mark.parametrize(
    ("codes", "is_pretending", "status"),
    [
        (["permissions-denied", "nothing-permitted"], False, "failed"),
        (["nothing-committed"], False, "failed"),
        (["nothing-committed"], True, "completed"),
        (["permissions-denied"], False, "completed"),
        (["background-killed", "cli-ended"], False, "completed"),
        ([], False, "completed"),
    ],
)
def test_notes_decide_whether_a_completed_agent_counts_as_failed(
    codes: list[str], is_pretending: bool, status: str
) -> None:
    notes = [{"code": code, "text": code.replace("-", " ")} for code in codes]
    agent: dict[str, Any] = ended(1, notes=notes, worktree=None)
    assert judged(agent, is_pretending=is_pretending)["status"] == status
    lost = ended(1, status="lost", reason="gone", notes=notes)
    assert judged(lost, is_pretending=False) == lost


def test_notes_are_in_the_report() -> None:
    notes = [{"code": "permissions-denied", "text": "3 permissions denied"}]
    agent = ended(1, tokens=None, cost_usd=None, branch=None, queued_at=None, notes=notes)
    row = row_of({"id": "a", "agent": "agent-001", "item": {"title": "A"}}, agent, Path("/none"))
    (line, *_) = lines(report([row], name="pm-1", left={}, troubles=[], skipped=[]))
    assert line.endswith("  3 permissions denied")


def test_uncommitted_changes_of_a_team_are_in_the_report(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    commit(bench.tree, b="1")
    (bench.tree / "a").write_text("changed")
    agent = ended(1, runner=None, worktree=str(bench.tree), notes=[], tokens=None, cost_usd=None, branch=None)
    judgement = judged(agent, is_pretending=False)
    assert judgement["status"] == "completed"
    row = row_of({"id": "a", "agent": "agent-001", "item": {"title": "A"}}, judgement, Path("/none"))
    (line, *_) = lines(report([row], name="pm-1", left={}, troubles=[], skipped=[]))
    assert line.endswith("  uncommitted changes in 1 file")
    assert judged(agent, is_pretending=True)["notes"] == []


def test_commits_elsewhere_are_in_the_report_and_unclear_work_fails(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    git(bench.tree, "checkout", "-q", "-b", "feature")
    commit(bench.tree, b="1")
    agent = ended(1, runner=None, worktree=str(bench.tree), notes=[], tokens=None, cost_usd=None, branch=None)
    judgement = judged(agent, is_pretending=False)
    assert judgement["status"] == "completed"
    row = row_of({"id": "a", "agent": "agent-001", "item": {"title": "A"}}, judgement, Path("/none"))
    (line, *_) = lines(report([row], name="pm-1", left={}, troubles=[], skipped=[]))
    assert line.endswith("  1 commit elsewhere: on feature, not on orchd/api")
    git(bench.tree, "checkout", "-q", "orchd/api")
    commit(bench.tree, c="1")
    git(bench.tree, "checkout", "-q", "feature")
    judgement = judged(agent, is_pretending=False)
    assert judgement["status"] == "failed"
    assert judgement["reason"].endswith("orchd/api has commits that its HEAD lacks")
