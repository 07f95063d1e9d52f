"""Where a worktree begins: at its base, the commit of when it was asked for, with the work of what it comes after.

Merges are made in the new worktree, before the agent begins, and without hooks: they are nobody's edit.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from orchctl.errors import RefusedError
from orchctl.render.text import listed
from orchctl.worktrees.git import FAILED, NO_HOOKS, Git
from orchctl.worktrees.heads import HEADS, Elsewhere, commit_of

_NAMELESS = ("-c", "user.name=orchd", "-c", "user.email=orchd@localhost")


class Tip(NamedTuple):
    """The branch of an agent that comes first, and its commit now."""

    branch: str
    commit: str


def tips(git: Git, branches: Iterable[str]) -> list[Tip]:
    """Those of the branches that are there: one that was pruned is in another branch."""
    found = []
    for branch in dict.fromkeys(branches):
        commit = commit_of(git, f"{HEADS}{branch}")
        if commit is not None:
            found.append(Tip(branch, commit))
    return found


def tip_of(agent: str, head: Elsewhere) -> Tip:
    """The HEAD of the agent's worktree, where that has all of its work. Raises RefusedError (`commits-elsewhere`)."""
    if head.doubt is None:
        return Tip(head.branch or head.commit[:12], head.commit)
    what = (
        f"{agent} has {head.text}, and {head.doubt}, so its work is not clear: `orchctl worktrees show {agent}` shows "
        f"it; bring what counts to {head.own}, then `orchctl retry`"
    )
    raise RefusedError(what, code="commits-elsewhere", details={"agent": agent, "commit": head.commit})


def start(git: Git, base: str, before: Iterable[Tip]) -> str:
    """The commit at which the branch begins; `merge` adds what that does not have. Raises RefusedError."""
    commits = dict.fromkeys((base, *(tip.commit for tip in before)))
    ends = git.ask("merge-base", "--independent", *commits).split() if len(commits) > 1 else [base]
    return ends[0] if len(ends) == 1 or base not in ends else base


def merge(path: Path, branch: str, before: Iterable[Tip]) -> tuple[str, ...]:
    """Merge what the worktree at `path` does not have yet. Returns the merge commits that were made.

    Raises RefusedError: `merge-conflict`, with the merge undone.
    """
    git = Git(path, options=(*NO_HOOKS, *_name(path)))
    made = []
    for tip in before:
        if git.is_true("merge-base", "--is-ancestor", tip.commit, "HEAD"):
            continue
        how = ("--quiet", "--no-ff", "--no-edit", "--no-gpg-sign", "--no-verify-signatures", "--no-stat", "--no-squash")
        try:
            git.tell("merge", *how, "-m", f"Merge {tip.branch} into {branch}", tip.commit)
        except RefusedError as error:
            if error.code != FAILED:
                raise
            raise _refusal(git, branch, tip, error) from None
        made.append(git.ask("rev-parse", "HEAD"))
    return tuple(made)


def _name(path: Path) -> tuple[str, ...]:
    """Options for a merge where git knows no name for its author."""
    return () if Git(path).is_true("var", "GIT_COMMITTER_IDENT") else _NAMELESS


def _refusal(git: Git, branch: str, tip: Tip, error: RefusedError) -> RefusedError:
    files = git.entries("diff", "--name-only", "--diff-filter=U")
    if not files:
        return error
    what = (
        f"{branch} cannot begin with the work of all that it comes after: merging {tip.branch} conflicts in "
        f"{listed(files)}; merge these branches by hand, one into the other, then `orchctl retry`"
    )
    return RefusedError(what, code="merge-conflict", details={"branch": tip.branch, "files": files})
