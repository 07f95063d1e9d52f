"""What an agent has committed in its worktree, asked of git."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from orchctl import targets, worktrees
from orchctl.errors import RefusedError
from orchctl.git import Git
from orchctl.worktree_checks import changes

UNCOMMITTED = "uncommitted-changes"
"""The code of the note that plain commands get here: no runner stands beside them to report it."""


class Made(NamedTuple):
    """How many commits there are since the worktree was made, and how many files differ from the last."""

    commits: int
    changed: int


def made_in(worktree: Path) -> Made | None:
    """What was done in this worktree; None when there is none, or git does not answer."""
    try:
        if (record := worktrees.read(worktree)) is None:
            return None
        git = Git(worktree)
        ends = ["HEAD", *([record.branch] if git.is_true("rev-parse", "--verify", "--quiet", record.branch) else ())]
        return Made(int(git.ask("rev-list", "--count", *ends, f"^{record.start}")), len(changes(git)))
    except (RefusedError, ValueError):
        return None


def left_text(files: int) -> str:
    """How many files have changes that are not committed, in words."""
    return f"uncommitted changes in {files} file{'' if files == 1 else 's'}"


def noted(agents: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The agents as the daemon shows them; a plain command that completed and left changes in its worktree that it did
    not commit has a note of it. The worktrees of a remote daemon cannot be looked at."""
    return [_with_note(agent) for agent in agents]


def _with_note(agent: Mapping[str, Any]) -> dict[str, Any]:
    is_plain = agent["status"] == "completed" and agent.get("worktree") and not agent.get("runner")
    files = _left_in(Path(agent["worktree"])) if is_plain and not targets.is_far() else 0
    if not files:
        return dict(agent)
    note = {"code": UNCOMMITTED, "text": left_text(files)}
    return {**agent, "notes": [*(agent.get("notes") or ()), note]}


def _left_in(worktree: Path) -> int:
    """The number of files with changes; 0 where no worktree is left or git does not answer."""
    if not (worktree / ".git").is_file():
        return 0
    try:
        return len(changes(Git(worktree), "--untracked-files=all"))
    except RefusedError:
        return 0
