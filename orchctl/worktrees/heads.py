"""Finds the HEAD of a worktree, and its commits that the branch of the worktree lacks.

An agent can check out another branch, detach the HEAD or rename its branch. Its later commits are not on the branch
that the daemon reports and at which dependents start.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from orchctl.errors import RefusedError
from orchctl.worktrees.git import Git

HEADS = "refs/heads/"
UNDER_WAY = ("MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "BISECT_LOG", "rebase-merge", "rebase-apply")


class ReflogEntry(NamedTuple):
    """A worktree as `git worktree list` has it."""

    path: str
    head: str | None
    branch: str | None  # the full name of its ref; None when detached
    lock: str | None  # why it is locked; the reason may be empty


class Elsewhere(NamedTuple):
    """Commits of the HEAD of a worktree that its own branch lacks."""

    commits: int
    commit: str  # of the HEAD
    branch: str | None  # what is checked out; None when the HEAD is detached
    own: str  # the branch of the worktree
    doubt: str | None  # why a dependent cannot begin at the HEAD; None when it can

    @property
    def place(self) -> str:
        """Where the commits are, as text."""
        return f"on {self.branch}" if self.branch else f"on a detached HEAD at {self.commit[:12]}"

    @property
    def text(self) -> str:
        """The note on an agent with these commits."""
        return f"{self.commits} commit{'s' * (self.commits != 1)} elsewhere: {self.place}, not on {self.own}"

    def shown(self) -> dict[str, Any]:
        """Return the commits as data for JSON."""
        return {"commits": self.commits, "head": self.commit, "branch": self.branch}


def entries(git: Git) -> Iterator[ReflogEntry]:
    """List every worktree that git knows."""
    for block in git.ask("worktree", "list", "--porcelain").split("\n\n"):
        fields = dict(line.partition(" ")[::2] for line in block.split("\n") if line)
        if "worktree" in fields:
            yield ReflogEntry(fields["worktree"], fields.get("HEAD"), fields.get("branch"), fields.get("locked"))


def listed_at(git: Git, path: Path) -> ReflogEntry | None:
    """Return the entry that git lists at `path`; None when it lists none."""
    real = os.path.realpath(path)
    return next((entry for entry in entries(git) if os.path.realpath(entry.path) == real), None)


def place_of(git: Git, path: Path) -> Path:
    """Return the current path of the worktree created at `path`: `git worktree move` keeps its name in git."""
    if path.exists():
        return path
    try:
        listed = [Path(entry.path) for entry in entries(git)]
    except RefusedError:
        return path
    if os.path.realpath(path) in map(os.path.realpath, listed):  # it was deleted
        return path
    for tree in listed:
        # another home may have a worktree of the same name, with a record beside it
        if (tree / ".git").is_file() and not Path(f"{tree}.json").exists():
            directory = Git(tree).maybe("rev-parse", "--absolute-git-dir")
            if directory is not None and Path(directory).name == path.name:
                return tree
    return path


def is_on(tree: Path, branch: str) -> bool:
    """Whether the worktree at `tree` has this branch checked out: a fast query, for the usual case."""
    is_there = (tree / ".git").is_file()
    return is_there and Git(tree).maybe("symbolic-ref", "--quiet", "HEAD") == f"{HEADS}{branch}"


def under_way(directory: Path) -> list[str]:
    """List the files that show a merge, a rebase or the like in progress; `directory`: the worktree's git directory."""
    return [name for name in UNDER_WAY if (directory / name).exists()]


def elsewhere(git: Git, entry: ReflogEntry | None, own: str, start: str, origin: str | None) -> Elsewhere | None:
    """Return the commits of the worktree `entry` that its branch `own` lacks; None when there are none.

    Commits of `start`, where the branch began, and of the branch `origin`, which it came from, do not count.
    Raises RefusedError where git cannot tell.
    """
    ref = f"{HEADS}{own}"
    if entry is None or entry.head is None or entry.branch == ref or not entry.head.strip("0"):
        return None
    tip = commit_of(git, ref)
    others = [commit for commit in (tip, commit_of(git, f"{HEADS}{origin}") if origin else None) if commit]
    count = int(git.ask("rev-list", "--count", entry.head, "--not", start, *others))
    if not count:
        return None
    branch = entry.branch.removeprefix(HEADS) if entry.branch else None
    doubt = None  # the HEAD may have less than the work of the agent, or be half way to another commit
    tree = Path(entry.path)
    if not git.is_true("merge-base", "--is-ancestor", tip or start, entry.head):
        doubt = f"{own} has commits that its HEAD lacks"
    elif (tree / ".git").exists() and (names := under_way(Path(Git(tree).ask("rev-parse", "--absolute-git-dir")))):
        doubt = f"a git operation is in progress in it ({', '.join(names)})"
    return Elsewhere(count, entry.head, branch, own, doubt)


def commit_of(git: Git, ref: str) -> str | None:
    """Return the commit of a ref; None when there is no such ref."""
    return git.maybe("rev-parse", "--quiet", "--verify", f"{ref}^{{commit}}")
