"""The current state of the worktrees of agents, and the removal of worktrees without work of their own."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from orchctl.errors import RefusedError
from orchctl.render import text
from orchctl.worktrees.checks import changes
from orchctl.worktrees.create import WorktreeRecord, located, record_path
from orchctl.worktrees.filling import submodules
from orchctl.worktrees.git import Git
from orchctl.worktrees.heads import (
    HEADS,
    Elsewhere,
    ReflogEntry,
    elsewhere,
    entries,
    is_on,
    listed_at,
    place_of,
    under_way,
)
from orchctl.worktrees.settings import reproducible
from orchctl.worktrees.untracked import IgnoredRules, described, lost_modules, of_tree, unseen


class Kept(Exception):
    """The reason why a worktree is kept."""


class Agents(NamedTuple):
    """The agents of a home that matter for worktrees."""

    known: Mapping[str, Mapping[str, Any]]  # by id; only agents that have worktrees
    living: Iterable[Mapping[str, Any]]  # all agents that are not finished


class Removal(NamedTuple):
    """Whether a worktree was removed, or would be."""

    is_removed: bool  # the worktree
    is_branch_deleted: bool
    reason: str | None  # why the worktree, or at least its branch, stays


class Worktree:
    """A worktree of an agent. Nothing is cached: every method asks git."""

    def __init__(self, path: Path, record: WorktreeRecord) -> None:
        self.path = path
        self.record = record = located(path, record)
        self.git = Git(Path(record.repository))
        self.place = place_of(self.git, path) if self.has_repository() else path  # where it is, also when it was moved
        self.ref = f"{HEADS}{record.branch}"

    def has_repository(self) -> bool:
        """Whether the repository is at its recorded path, or at the path in the worktree."""
        return Path(self.record.repository).is_dir()

    def changed(self) -> list[str]:
        """List the files that differ from the last commit, with untracked files."""
        return changes(Git(self.place), "--untracked-files=all")

    def described(self, names: Iterable[str]) -> list[str]:
        """Return paths in the worktree, each repository with the number of its commits."""
        return [described(self.place, name) for name in names]

    def pruned(self, agents: Agents, *, is_dry: bool, with_ignored: bool = False) -> Removal:
        """Remove the worktree and its branch, as far as no agent uses them and they hold no work of their own.

        `with_ignored`: ignored files do not count as work, but repositories in the worktree do.
        """
        try:
            self.check_agents(agents)
            entry = self.entry()
            self._check_place(entry, with_ignored=with_ignored)
        except (Kept, RefusedError) as why:
            return Removal(is_removed=False, is_branch_deleted=False, reason=str(why))
        try:
            tip = self.free_branch(entry)
        except Kept as why:
            if self.place.exists():
                return Removal(is_removed=False, is_branch_deleted=False, reason=str(why))
            if entry is None:
                what = f"its directory no longer exists; its branch {self.record.branch} is kept: {why}"
                return Removal(is_removed=False, is_branch_deleted=False, reason=what)
            if not is_dry:
                self.remove(entry)
            return Removal(is_removed=True, is_branch_deleted=False, reason=str(why))
        try:
            if not is_dry:
                self.remove(entry)
                self.delete_branch(tip)
        except RefusedError as error:
            return Removal(is_removed=not self.place.exists(), is_branch_deleted=False, reason=error.message)
        return Removal(is_removed=True, is_branch_deleted=tip is not None, reason=None)

    def check_agents(self, agents: Agents) -> None:
        """Raise Kept when an agent is running in the worktree, or when its own agent is unknown."""
        name = self.path.name
        if name not in agents.known:
            raise Kept(
                f"the state of {name} is unknown; if the worktree is not needed, run `git worktree remove {self.place}`"
            )
        if not text.is_over(agents.known[name]):
            raise Kept(f"{name} is {agents.known[name]['status']}")
        if (other := self.occupant(agents)) is not None:
            raise Kept(f"{other} is running in it")

    def occupant(self, agents: Agents) -> str | None:
        """Return the id of an agent that is alive with its directory in the worktree; the own agent comes first."""
        own = agents.known.get(self.path.name)
        if own is not None and not text.is_over(own):
            return self.path.name
        real = os.path.realpath(self.place)
        inside = (agent["id"] for agent in agents.living if Path(os.path.realpath(agent["cwd"])).is_relative_to(real))
        return next(inside, None)

    def entry(self) -> ReflogEntry | None:
        """Return the entry that git lists; None when it lists none. Raises Kept when the repository is gone."""
        if not self.has_repository():
            if not self.place.exists():
                return None
            raise Kept(
                f"its repository {self.record.repository} no longer exists, so its work cannot be checked; "
                f"if the repository was moved, run `git worktree repair {shlex.quote(str(self.path))}` in it"
            )
        return listed_at(self.git, self.place)

    def elsewhere(self) -> Elsewhere | None:
        """Return the commits of the HEAD that the branch lacks; None when there are none or git cannot tell."""
        record = self.record
        with suppress(Kept, RefusedError):
            if self.has_repository() and not is_on(self.place, record.branch):
                return elsewhere(self.git, self.entry(), record.branch, record.start, record.origin)
        return None

    def _check_place(self, entry: ReflogEntry | None, *, with_ignored: bool) -> None:
        """Raise Kept when the directory holds work that would be lost; a worktree that was never created holds none."""
        if not self.record.is_made:
            return
        self.check_lock(entry)
        if entry is not None and entry.head is not None and entry.branch != self.ref:
            other = entry.branch.removeprefix(HEADS) if entry.branch else None
            if count := len(self.unmerged(str(entry.head), but_own=self.place.exists(), but=other)):
                where = f"branch {other}" if other else f"commit {str(entry.head)[:12]}, which is checked out"
                raise Kept(f"it has {_commits_that(count)} only in the {where}: merge it first")
        if not self.place.exists():
            return
        self.check_known(entry)
        git = Git(self.place)
        own = Path(git.ask("rev-parse", "--absolute-git-dir"))
        if names := under_way(own):
            raise Kept(f"a git operation is in progress in it ({', '.join(names)})")
        if files := [*self.changed(), *unseen(git, self.place)]:
            raise Kept(f"it has uncommitted work: {text.listed(self.described(files))}")
        self.check_hidden(own, with_ignored=with_ignored)

    def check_lock(self, entry: ReflogEntry | None) -> None:
        """Raise Kept when git keeps the worktree locked."""
        if entry is not None and entry.lock is not None:
            raise Kept(f"it is locked{entry.lock and f': {entry.lock}'}; unlock it with `git worktree unlock`")

    def check_known(self, entry: ReflogEntry | None) -> None:
        """Raise Kept when the directory is not a worktree of its repository."""
        if entry is None:
            raise Kept(f"git lists no worktree there: inspect {self.place}")
        if not (self.place / ".git").exists():
            raise Kept(f"its .git file is missing: `{self.repairing()}` restores it")

    def repairing(self) -> str:
        """Return the command that writes a missing .git file again."""
        return shlex.join(["git", "-C", self.record.repository, "worktree", "repair"])

    def check_inner(self) -> None:
        """Raise Kept when other worktrees are below its directory."""
        real = Path(os.path.realpath(self.place))
        trees = (Path(os.path.realpath(entry.path)) for entry in entries(self.git))
        if inner := [str(tree.relative_to(real)) for tree in trees if tree != real and tree.is_relative_to(real)]:
            raise Kept(f"it contains another worktree: {text.listed(inner)}; move it with `git worktree move`")

    def check_hidden(self, own: Path, *, with_ignored: bool) -> None:
        """Raise Kept for work in the worktree that git does not track; `own` is its git directory."""
        self.check_inner()
        checkout = self.record.checkout or Path(self.record.repository).parent
        patterns = reproducible(self.path.parents[1] / "config.toml", Path(checkout))
        holdings = of_tree(self.place, IgnoredRules(self.record.copied, patterns))
        # the commits of submodules that it began with: they are elsewhere, in a branch or not
        tree = self.git.maybe("ls-tree", "-r", "-z", self.record.start) or ""
        pinned = [line.split(None, 3)[2] for line in tree.split("\0") if line.startswith("160000 ")]
        if repositories := sorted({*holdings.repositories, *lost_modules(own, pinned)}):
            raise Kept(
                f"it contains repositories, or work in submodules: {text.listed(self.described(repositories))}; "
                "move or push them first"
            )
        if holdings.files and not with_ignored:
            raise Kept(
                f"it has files that git ignores: {text.listed(holdings.files)}; `prune --ignored` removes them too"
            )

    def check_commits(self, tip: str, *, but_own: bool) -> None:
        """Raise Kept when commits of `tip` are in no branch; `but_own`: in no other than its own."""
        if count := len(self.unmerged(tip, but_own=but_own)):
            own = self.record.branch
            raise Kept(
                f"it has {_commits_that(count)} in no other branch: merge {own} first; a squashed merge does not count"
            )

    def unmerged(self, tip: str, *, but_own: bool, but: str | None = None) -> list[str]:
        """List the commits of `tip` that are in no branch, newest first; `but_own`: in no other than its own.

        The branch `but` does not count either.
        """
        without = [self.record.branch] * but_own + ([but] if but else [])
        local, remote = [f"--exclude={name}" for name in without], [f"--exclude=*/{name}" for name in without]
        others = [*local, "--branches", *remote, "--remotes"]
        # a merge that it began with is no work: what it merged is in the branches of others, or counts too
        commits = self.git.ask("rev-list", tip, "--not", *others).split()
        return [commit for commit in commits if commit not in self.record.merged]

    def free_branch(self, entry: ReflogEntry | None) -> str | None:
        """Return the commit of the branch; None when the branch is gone. Raises Kept when it cannot be deleted."""
        tip = self.tip()
        if tip is not None:
            self.check_commits(tip, but_own=True)
            self.check_branch(entry)
        return tip

    def tip(self) -> str | None:
        """Return the commit of the branch; None when the branch or the repository is gone."""
        return self.commit(self.ref) if self.has_repository() else None

    def check_branch(self, entry: ReflogEntry | None) -> None:
        """Raise Kept when the branch is checked out elsewhere."""
        for other in entries(self.git):
            if other.branch == self.ref and (entry is None or other.path != entry.path):
                raise Kept(f"its branch is checked out in {other.path}")

    def commit(self, ref: str) -> str | None:
        """Return the commit of a ref; None when there is no such ref."""
        try:
            return self.git.ask("rev-parse", "--quiet", "--verify", f"{ref}^{{commit}}")
        except RefusedError:
            return None

    def remove(self, entry: ReflogEntry | None, *, is_forced: bool = False) -> None:
        """Let git remove the directory; `is_forced`: with the changes in it."""
        if entry is not None:
            # without force git checks once more that all is committed, but it never removes a worktree with submodules
            if not self.record.is_made:
                times = 2
            else:
                times = int(is_forced or (self.place.exists() and any(submodules(Git(self.place)))))
            self.git.tell("worktree", "remove", *["--force"] * times, str(self.place))

    def delete_branch(self, tip: str | None) -> None:
        """Delete the branch, unless it has moved from `tip`, and the record of the worktree."""
        if tip is not None:
            self.git.tell("update-ref", "-d", self.ref, tip)  # not when it has moved meanwhile
            with suppress(RefusedError):  # it rarely has any settings
                self.git.tell("config", "--remove-section", f"branch.{self.record.branch}")
        record_path(self.path).unlink(missing_ok=True)


def _commits_that(count: int) -> str:
    return "a commit that is" if count == 1 else f"{count} commits that are"
