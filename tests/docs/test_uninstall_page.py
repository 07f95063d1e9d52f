"""docs/guides/uninstall.md: its steps, in their order, remove all that orchd made, also while agents run."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from typer import _completion_shared

from tests.conftest import Instance, until
from tests.orchctl import repos

PAGE = (Path(__file__).parents[2] / "docs/guides/uninstall.md").read_text()
INSTALLERS = {
    "bash": _completion_shared.install_bash,
    "zsh": _completion_shared.install_zsh,
    "fish": _completion_shared.install_fish,
}


def test_the_steps_leave_no_process_file_worktree_or_branch(instance: Instance, tmp_path: Path) -> None:
    instance.env.update(repos.SETTINGS, HOME=str(tmp_path / "user"))
    project = repos.repository(tmp_path / "project")
    before = repos.git(project, "status", "--porcelain", "--ignored")
    for name in ("first", "second"):
        instance.ctl("spawn", "--worktree", "--name", name, "--", "sleep", "600", cwd=project)
    until(lambda: len(repos.git(project, "worktree", "list").splitlines()) == 3)
    # the blocks of commands alone: the ELSEWHERE of the other pages are run here
    script = "\n".join(re.findall(r"^```\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))
    process = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], env=instance.env, cwd=project, capture_output=True, text=True
    )
    assert process.returncode == 0, process.stderr
    assert not instance.directory.exists()
    assert len(repos.git(project, "worktree", "list").splitlines()) == 1
    assert repos.git(project, "for-each-ref", "--format=%(refname)") == "refs/heads/main"
    assert repos.git(project, "status", "--porcelain", "--ignored") == before


@pytest.mark.parametrize("shell", INSTALLERS)
def test_the_page_names_every_file_that_completion_writes(
    shell: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    INSTALLERS[shell](prog_name="orchctl", complete_var="_ORCHCTL_COMPLETE", shell=shell)
    (row,) = re.findall(rf"^\| {shell} \| (.*)$", PAGE, re.MULTILINE)
    files = {f"~/{path.relative_to(tmp_path)}" for path in tmp_path.rglob("*") if path.is_file()}
    assert files == set(re.findall(r"`(~/[^`]+)`", row))
