"""A git repository for tests of worktrees, and the runner program started without a daemon."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

SETTINGS = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "a",
    "GIT_AUTHOR_EMAIL": "a@example.org",
    "GIT_COMMITTER_NAME": "a",
    "GIT_COMMITTER_EMAIL": "a@example.org",
}


def git(directory: Path, *words: str) -> str:
    """Run git, which must succeed, and return its output."""
    result = subprocess.run(
        ["git", *words], cwd=directory, env={**os.environ, **SETTINGS}, text=True, capture_output=True, timeout=30
    )
    assert result.returncode == 0, (words, result.stdout, result.stderr)
    return result.stdout.strip()


def repository(directory: Path) -> Path:
    """A repository with one commit on `main`: the files `a` and `sub/b`."""
    directory.mkdir(parents=True)
    git(directory, "init", "--quiet", "--initial-branch=main")
    commit(directory, a="one", **{"sub/b": "two"})
    return directory


def commit(directory: Path, message: str = "more", **files: str) -> str:
    """Commit `files` and return the name of the commit."""
    for name, text in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text)
        git(directory, "add", "--force", name)
    git(directory, "commit", "--quiet", "--message", message)
    return git(directory, "rev-parse", "HEAD")


def branches(directory: Path) -> list[str]:
    """Return the names of all branches."""
    return git(directory, "for-each-ref", "--format=%(refname:short)", "refs/heads").split()


class Runner:
    """`python -m orchctl.runners`, as the daemon starts it for an agent with a worktree."""

    def __init__(self, home: Path, agent: str = "agent-001", name: str = "api") -> None:
        self.worktree = home / "worktrees" / agent
        self.env = {**os.environ, **SETTINGS, "ORCHD_AGENT": agent, "ORCHD_NAME": name}
        self.env["ORCHD_WORKTREE"] = str(self.worktree)

    def start(self, cwd: Path, *argv: str, attempt: int = 1, **env: str) -> subprocess.Popen[str]:
        """Start the runner in `cwd` for the command `argv`."""
        words = [sys.executable, "-E", "-P", "-m", "orchctl.runners", *argv]
        settings: dict[str, Any] = {"env": {**self.env, "ORCHD_ATTEMPT": str(attempt), **env}, "cwd": cwd}
        return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **settings)

    def run(self, cwd: Path, *argv: str, attempt: int = 1, **env: str) -> tuple[int, str, str]:
        """Run it and return its exit code and its output on both streams."""
        started = self.start(cwd, *argv, attempt=attempt, **env)
        out, err = started.communicate(timeout=30)
        return started.returncode, out, err
