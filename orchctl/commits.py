"""What an agent has committed in its worktree, asked of git."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from orchctl import worktrees
from orchctl.errors import RefusedError
from orchctl.git import Git
from orchctl.worktree_checks import changes


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
