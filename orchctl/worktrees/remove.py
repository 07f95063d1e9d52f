"""Removes a worktree; with force also its unmerged and uncommitted work, which is reported first."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from orchctl.errors import RefusedError
from orchctl.render import text
from orchctl.worktrees.git import Git
from orchctl.worktrees.heads import ReflogEntry
from orchctl.worktrees.prune import Agents, Kept, Removal, Worktree
from orchctl.worktrees.untracked import unseen

_NAMED = 5  # commits and files of a message


class LostCommits(NamedTuple):
    """A commit that would be in no branch, and its ancestors that would be in no branch either."""

    name: str  # of the branch that would restore it
    commit: str
    commits: list[str]


class Lost(NamedTuple):
    """Work that exists only in a worktree and is deleted with it."""

    tips: list[LostCommits]
    uncommitted: list[str]  # files
    hidden: str | None  # repositories or ignored files in it, in words

    def lines(self, worktree: Worktree) -> list[str]:
        """Return a line for each kind, with the command that restores commits."""
        lines = []
        for tip in self.tips:
            named = text.listed([described(worktree, commit) for commit in tip.commits], _NAMED)
            lines.append(f"lost: {_counted(tip.commits, 'commit')} in no other branch: {named}")
            lines.append(f"restore with: {restoring(worktree, tip)}")
        if self.uncommitted:
            lines.append(
                f"lost: uncommitted changes in {_counted(self.uncommitted, 'file')}: "
                f"{text.listed(worktree.described(self.uncommitted), _NAMED)}"
            )
        if self.hidden:
            lines.append(f"lost: {self.hidden}")
        return lines

    def shown(self, worktree: Worktree) -> dict[str, Any]:
        """Return the lost work as data for JSON."""
        commits = [
            {"tip": tip.commit, "count": len(tip.commits), "restore": restoring(worktree, tip)} for tip in self.tips
        ]
        return {"commits": commits, "uncommitted": self.uncommitted, "hidden": self.hidden}


def removed(worktree: Worktree, agents: Agents) -> Removal:
    """Remove the worktree and its branch if no work is lost; all or nothing."""
    planned = worktree.pruned(agents, is_dry=True)
    if planned.is_removed and planned.reason is None:
        return worktree.pruned(agents, is_dry=False)
    reason = planned.reason or "unknown"
    if commits := unmerged(worktree):
        reason += f"; unmerged: {text.listed([described(worktree, commit) for commit in commits], _NAMED)}"
    return Removal(is_removed=False, is_branch_deleted=False, reason=reason)


def forced(worktree: Worktree, agents: Agents, report: Callable[[Lost], None]) -> Removal:
    """Remove the worktree and its branch with all their work; `report` gets the lost work before it is deleted.

    Force does not remove a worktree in which an agent is running, that is locked, that git does not know, or that has
    other worktrees in it; nor a branch that is checked out elsewhere.
    """
    try:
        entry = _checked(worktree, agents)
        lost = _lost(worktree, entry)
    except (Kept, RefusedError) as why:
        return Removal(is_removed=False, is_branch_deleted=False, reason=str(why))
    report(lost)
    tip = worktree.tip()
    try:
        worktree.remove(entry, is_forced=True)
        if tip is not None:
            worktree.check_branch(entry)
        worktree.delete_branch(tip)
    except (Kept, RefusedError) as why:
        return Removal(is_removed=not worktree.place.exists(), is_branch_deleted=False, reason=str(why))
    return Removal(is_removed=True, is_branch_deleted=tip is not None, reason=None)


def can_be_forced(worktree: Worktree, agents: Agents) -> bool:
    """Whether `forced` would remove the worktree."""
    try:
        _checked(worktree, agents)
    except (Kept, RefusedError):
        return False
    return True


def _checked(worktree: Worktree, agents: Agents) -> ReflogEntry | None:
    """Return the entry that git lists of the worktree. Raises Kept when not even force removes it."""
    if (occupant := worktree.occupant(agents)) is not None:
        raise Kept(f"{occupant} is running in it")
    entry = worktree.entry()
    if not worktree.record.is_made:  # git locks what it is just making
        return entry
    worktree.check_lock(entry)
    if worktree.place.exists():
        worktree.check_known(entry)
        worktree.check_inner()
    return entry


def _lost(worktree: Worktree, entry: ReflogEntry | None) -> Lost:
    tips = []
    tip, branch = worktree.tip(), worktree.record.branch
    if tip is not None and (commits := worktree.unmerged(tip, but_own=True)):
        tips.append(LostCommits(branch, tip, commits))
    if entry is not None and entry.head is not None and entry.branch is None and entry.head != tip:
        commits = worktree.unmerged(entry.head, but_own=True)
        if commits:
            tips.append(LostCommits(f"{branch}-detached", entry.head, commits))
    if entry is None or not worktree.place.exists() or not worktree.record.is_made:
        return Lost(tips, [], None)
    git = Git(worktree.place)
    uncommitted = [*worktree.changed(), *unseen(git, worktree.place)]
    hidden = None
    try:
        worktree.check_hidden(Path(git.ask("rev-parse", "--absolute-git-dir")), with_ignored=False)
    except Kept as why:
        hidden = str(why).partition(";")[0]
    return Lost(tips, uncommitted, hidden)


def unmerged(worktree: Worktree) -> list[str] | None:
    """List the commits of the worktree's branch and HEAD that no other branch has; None where git cannot tell."""
    try:
        tip, head = worktree.tip(), worktree.elsewhere()
        if tip is None and head is None:
            return None
        commits = [] if head is None else worktree.unmerged(head.commit, but_own=True, but=head.branch)
        return list(dict.fromkeys([*commits, *([] if tip is None else worktree.unmerged(tip, but_own=True))]))
    except RefusedError:
        return None


def described(worktree: Worktree, commit: str) -> str:
    """Return the short id and the subject of a commit."""
    return text.clean(worktree.git.maybe("show", "--no-patch", "--format=%h %s", commit) or commit[:12])


def restoring(worktree: Worktree, tip: LostCommits) -> str:
    """Return the command that restores a branch at a tip."""
    return shlex.join(["git", "-C", worktree.record.repository, "branch", tip.name, tip.commit])


def _counted(names: list[str], noun: str) -> str:
    return f"1 {noun}" if len(names) == 1 else f"{len(names)} {noun}s"
