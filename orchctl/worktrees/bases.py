"""The start of a worktree: its base, the HEAD when it was requested, merged with the work of its dependencies.

Merges are made in the new worktree, before the agent starts, and without hooks: they are not the agent's edits.
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
    """The branch of an agent that a new agent depends on, and its commit now."""

    branch: str
    commit: str


def tips(git: Git, branches: Iterable[str]) -> list[Tip]:
    """Return the tips of the branches that exist: the commits of a pruned branch are in another branch."""
    existing = []
    for branch in dict.fromkeys(branches):
        commit = commit_of(git, f"{HEADS}{branch}")
        if commit is not None:
            existing.append(Tip(branch, commit))
    return existing


def tip_of(agent: str, head: Elsewhere) -> Tip:
    """Return the HEAD of the agent's worktree as a tip.

    Raises RefusedError (`commits-elsewhere`) if that HEAD may lack work of the agent.
    """
    if head.doubt is None:
        return Tip(head.branch or head.commit[:12], head.commit)
    what = (
        f"{agent} has {head.text}, and {head.doubt}, so its work is unclear: `orchctl worktrees show {agent}` shows "
        f"it; move the commits that you need to {head.own}, then run `orchctl retry`"
    )
    raise RefusedError(what, code="commits-elsewhere", details={"agent": agent, "commit": head.commit})


def start(git: Git, base: str, before: Iterable[Tip]) -> str:
    """Return the commit at which the branch begins; `merge` adds the work that it lacks. Raises RefusedError."""
    commits = dict.fromkeys((base, *(tip.commit for tip in before)))
    ends = git.ask("merge-base", "--independent", *commits).split() if len(commits) > 1 else [base]
    return ends[0] if len(ends) == 1 or base not in ends else base


def merge(path: Path, branch: str, before: Iterable[Tip]) -> tuple[str, ...]:
    """Merge the tips that the worktree at `path` does not have yet. Returns the new merge commits.

    Raises RefusedError: `merge-conflict`, with the merge undone.
    """
    author = () if Git(path).is_true("var", "GIT_COMMITTER_IDENT") else _NAMELESS
    git = Git(path, options=(*NO_HOOKS, *author))
    commits = []
    for tip in before:
        if git.is_true("merge-base", "--is-ancestor", tip.commit, "HEAD"):
            continue
        how = ("--quiet", "--no-ff", "--no-edit", "--no-gpg-sign", "--no-verify-signatures", "--no-stat", "--no-squash")
        try:
            git.tell("merge", *how, "-m", f"Merge {tip.branch} into {branch}", tip.commit)
        except RefusedError as error:
            if error.code != FAILED or not (files := git.entries("diff", "--name-only", "--diff-filter=U")):
                raise
            what = (
                f"{branch} cannot start with the work of all its dependencies: merging {tip.branch} conflicts in "
                f"{listed(files)}; merge these branches by hand, then run `orchctl retry`"
            )
            details = {"branch": tip.branch, "files": files}
            raise RefusedError(what, code="merge-conflict", details=details) from None
        commits.append(git.ask("rev-parse", "HEAD"))
    return tuple(commits)
