"""`orchctl uninstall-project`."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.conftest import Instance
from tests.orchctl import repos
from tests.orchctl.conftest import Orchctl

SKILL = "skills/skill-parallel-orchestration"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A checkout."""
    return repos.repository(tmp_path / "project")


def everything(project: Path) -> set[str]:
    """Return every file of a checkout apart from the files of git."""
    paths = (path.relative_to(project) for path in project.rglob("*"))
    return {str(path) for path in paths if path.parts[0] != ".git"}


def test_uninstall_restores_a_checkout(instance: Instance, orchctl: Orchctl, project: Path) -> None:
    before, exclude = everything(project), (project / ".git/info/exclude").read_text()
    orchctl("skill", "install", "--claude", "--codex", cwd=project)
    orchctl("spawn", "--wait", "--", "true", cwd=project)
    assert (project / ".agent/sessions/latest.yaml").exists()
    result = orchctl("uninstall-project", cwd=project / "sub")
    assert (result.code, result.err) == (0, "")
    lines = result.out.splitlines()
    assert ".agent/sessions/session-001.yaml: removed" in lines
    assert f".agents/{SKILL}/SKILL.md: removed" in lines
    assert ".git/info/exclude: /.claude/state/: removed" in lines
    assert everything(project) == before
    assert (project / ".git/info/exclude").read_text() == exclude
    second_result = orchctl("uninstall-project", cwd=project)
    assert second_result == (0, f"no files of orchd in {project}\n", "")


def test_uninstall_restores_a_directory_with_an_explicit_session(
    instance: Instance, orchctl: Orchctl, tmp_path: Path
) -> None:
    before = everything(tmp_path)
    orchctl("session", "new")
    orchctl("spawn", "--wait", "--", "true")
    assert (tmp_path / ".claude/state/agents.json").exists()
    assert orchctl("uninstall-project").code == 0
    assert everything(tmp_path) == before
    assert orchctl("spawn", "--wait", "--", "true").code == 0
    assert everything(tmp_path) == before


def test_uninstall_keeps_changed_files_and_files_of_the_user(
    instance: Instance, orchctl: Orchctl, project: Path
) -> None:
    orchctl("skill", "install", "--claude", cwd=project)
    orchctl("spawn", "--wait", "--", "true", cwd=project)
    (project / f".agent/{SKILL}/SKILL.md").write_text("mine")
    kept_names = {f".agent/{SKILL}/SKILL.md", ".claude/settings.json", ".agent/sessions/notes", ".agent/runs/x.md"}
    for name in kept_names - {f".agent/{SKILL}/SKILL.md"}:
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text("mine")
    result = orchctl("uninstall-project", "--json", cwd=project)
    assert result.code == 1
    answer = json.loads(result.out)
    assert answer["changed"] == [f".agent/{SKILL}/SKILL.md"]
    assert set(answer["excluded"]) == {"/.agent/sessions/", "/.claude/state/"}
    left_names = {name for name in everything(project) if (project / name).is_file() and name.startswith(".")}
    assert left_names == {*kept_names, f".agent/{SKILL}/.installed.json"}


def test_git_keeps_ignoring_results_until_they_are_deleted(
    instance: Instance, orchctl: Orchctl, project: Path, tmp_path: Path
) -> None:
    exclude = (project / ".git/info/exclude").read_text()
    other_project = tmp_path / "b"
    repos.git(project, "worktree", "add", "-q", str(other_project), "-b", "b")
    assert orchctl("spawn", "--wait", "--", "true", cwd=project).code == 0
    for directory in (project, other_project):
        (directory / ".agent/runs").mkdir(parents=True, exist_ok=True)
        (directory / ".agent/runs/x.md").write_text("mine")
    result = orchctl("uninstall-project", cwd=project)
    assert result.code == 0
    assert f".git/info/exclude: /.agent/runs/: not removed: it hides {project}/.agent/runs\n" in result.out
    for directory in (project, other_project):
        assert repos.git(directory, "status", "--porcelain") == ""
    (project / ".agent/runs/x.md").unlink()
    assert orchctl("uninstall-project", cwd=project).code == 0
    assert not (project / ".agent").exists()
    assert repos.git(other_project, "status", "--porcelain") == ""
    (other_project / ".agent/runs/x.md").unlink()
    assert ".git/info/exclude: /.agent/runs/: removed" in orchctl("uninstall-project", cwd=project / "sub").out
    assert (project / ".git/info/exclude").read_text() == exclude


def test_uninstall_follows_no_symlink(orchctl: Orchctl, project: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    orchctl("skill", "install", "--dir", "skills", cwd=elsewhere)
    (elsewhere / "sessions").mkdir()
    (elsewhere / "sessions/latest.yaml").touch()
    before = everything(elsewhere)
    (project / ".agent").symlink_to(elsewhere)
    assert orchctl("uninstall-project", cwd=project).code == 0
    assert everything(elsewhere) == before


def test_uninstall_keeps_foreign_files_that_a_manifest_lists(orchctl: Orchctl, project: Path) -> None:
    """Agents can write the manifest."""
    orchctl("skill", "install", cwd=project)
    manifest = project / f".agent/{SKILL}/.installed.json"
    manifest_data = json.loads(manifest.read_text())
    digest = "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"  # of the file `a`, "one"
    manifest.write_text(json.dumps({**manifest_data, "../../../a": digest, str(project / "a"): digest}))
    assert orchctl("uninstall-project", cwd=project).code == 0
    assert (project / "a").read_text() == "one"


def test_uninstall_is_refused_while_an_agent_of_the_project_runs(
    instance: Instance, orchctl: Orchctl, project: Path
) -> None:
    agent_id = orchctl("spawn", "--", "sleep", "600", cwd=project).out.strip()
    result = orchctl("uninstall-project", cwd=project)
    assert (result.code, result.err.split(":")[0], agent_id in result.err) == (1, "agents-not-over", True)
    instance.ctl("cancel", agent_id)
    instance.ctl("wait", agent_id, code=None)
    assert orchctl("uninstall-project", cwd=project).code == 0


def test_uninstall_needs_no_daemon(orchctl: Orchctl, project: Path) -> None:
    orchctl("skill", "install", cwd=project)
    assert orchctl("uninstall-project", cwd=project).code == 0
    assert not os.path.lexists(project / ".agent")


def test_git_keeps_ignoring_the_session_files_of_another_worktree(
    instance: Instance, orchctl: Orchctl, project: Path, tmp_path: Path
) -> None:
    exclude = (project / ".git/info/exclude").read_text()
    other_project = tmp_path / "b"
    repos.git(project, "worktree", "add", "-q", str(other_project), "-b", "b")
    for directory in (project, other_project):
        assert orchctl("spawn", "--wait", "--", "true", cwd=directory).code == 0
    result = orchctl("uninstall-project", cwd=project)
    assert (result.code, result.err) == (0, "")
    assert f".git/info/exclude: not changed: {other_project} has session files" in result.out
    assert not (project / ".agent").exists()
    assert orchctl("spawn", "--wait", "--", "true", cwd=other_project).code == 0
    repos.git(other_project, "add", "-A")
    assert repos.git(other_project, "status", "--porcelain") == ""
    second_result = json.loads(orchctl("uninstall-project", "--json", cwd=project).out)
    assert (second_result["excluded"], second_result["in_use"]) == ([], [str(other_project)])
    assert ".git/info/exclude: /.agent/sessions/: removed" in orchctl("uninstall-project", cwd=other_project).out
    assert (project / ".git/info/exclude").read_text() == exclude
