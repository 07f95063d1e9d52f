"""Commits and uncommitted changes in the worktree of an agent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from orchctl.client import target
from orchctl.errors import RefusedError
from orchctl.render import text as render
from orchctl.worktrees import create
from orchctl.worktrees.checks import changes
from orchctl.worktrees.git import Git
from orchctl.worktrees.heads import Elsewhere, elsewhere, is_on, listed_at, place_of

UNCOMMITTED = "uncommitted-changes"
"""The code of the note on changes that a plain command did not commit: it has no runner that reports them."""

ELSEWHERE = "commits-elsewhere"
"""The code of the note on commits that the branch of a worktree lacks, since its HEAD is not that branch."""


class AgentWork(NamedTuple):
    """The number of commits since the worktree was made, and of files that differ from the last commit."""

    commits: int
    changed: int


def work_in(worktree: Path) -> AgentWork | None:
    """Count the work in this worktree; None when there is none, or git does not answer."""
    try:
        if (record := create.read(worktree)) is None:
            return None
        git = Git(worktree)
        ends = ["HEAD", *([record.branch] if git.is_true("rev-parse", "--verify", "--quiet", record.branch) else ())]
        return AgentWork(int(git.ask("rev-list", "--count", *ends, f"^{record.start}")), len(changes(git)))
    except (RefusedError, ValueError):
        return None


def left_text(files: int) -> str:
    """Return the note on a number of files with uncommitted changes."""
    return f"uncommitted changes in {files} file{'' if files == 1 else 's'}"


def elsewhere_in(worktree: Path) -> Elsewhere | None:
    """Return the commits of this worktree that its branch lacks; None when there are none, or git does not answer."""
    try:
        if (record := create.read(worktree)) is None or is_on(worktree, record.branch):
            return None
        git = Git(Path(record.repository))
        return elsewhere(git, listed_at(git, place_of(git, worktree)), record.branch, record.start, record.origin)
    except (RefusedError, ValueError):
        return None


def noted(agents: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the agents as the daemon shows them, with notes on their worktrees.

    Noted are commits elsewhere of an agent that ended, and changes that a completed plain command did not commit. The
    worktrees of a remote daemon cannot be examined.
    """
    views = []
    for agent in agents:
        view = dict(agent)
        views.append(view)
        if not agent.get("worktree") or not render.is_over(agent) or target.is_remote():
            continue
        path = Path(agent["worktree"])
        notes = list(agent.get("notes") or ())
        if (head := elsewhere_in(path)) is not None:
            notes.append({"code": ELSEWHERE, "text": head.text})
        is_plain = agent["status"] == "completed" and not agent.get("runner")
        with suppress(RefusedError):  # git does not answer
            if is_plain and (path / ".git").is_file() and (files := changes(Git(path), "--untracked-files=all")):
                notes.append({"code": UNCOMMITTED, "text": left_text(len(files))})
        if notes:
            view["notes"] = notes
    return views
