"""Whether agents can have git worktrees: asked before they are spawned, and again when a worktree is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from orchctl.errors import RefusedError
from orchctl.git import FAILED, Git
from orchd.wire import agentspec, branches, shapes

_NAMED = 3  # files that are named one by one
_HEADS = "refs/heads/"


class Checkout(NamedTuple):
    """Where a directory stands in a working tree of git."""

    top: Path  # of the working tree
    inside: str  # the directory below it, with a slash at the end, or nothing
    repository: Path  # what all worktrees of one repository share


def check(specs: Sequence[Mapping[str, object]], directory: Path) -> None:
    """Return when every agent of `specs` that wants a worktree can have it. Raises RefusedError: nothing is spawned.

    `directory` is where those work that name no other.
    """
    wanted: dict[Path, list[str]] = {}
    for spec in specs:
        if spec.get("worktree"):
            wanted.setdefault(Path(str(spec.get("cwd") or directory)), []).append(_name(spec))
    seen: dict[Path, set[str]] = {}
    clean: set[Path] = set()
    for place, names in wanted.items():
        checkout = checkout_of(place)
        if checkout.top not in clean:
            check_clean(checkout)
            clean.add(checkout.top)
        taken = seen.setdefault(checkout.repository, set())
        for name in names:
            branch = branches.branch_of(name)
            if branch in taken:
                what = f"two agents of this request would work on the branch {branch}: give each a name of its own"
                raise RefusedError(what, code="branch-taken")
            taken.add(branch)
        check_branches(checkout, {branches.branch_of(name): name for name in names})


def checkout_of(directory: Path, way_out: str = "leave out --worktree") -> Checkout:
    """The checkout that `directory` is in. Raises RefusedError (`no-repository`) when it is in none."""
    try:
        said = Git(directory).ask("rev-parse", "--show-toplevel", "--git-common-dir", "--show-prefix")
    except RefusedError as error:
        if error.code != FAILED:
            raise
        what = f"{directory} is in no checkout of a git repository ({error.message}): go to one, or {way_out}"
        raise RefusedError(what, code="no-repository") from None
    top, common, inside = [*said.split("\n"), ""][:3]
    return Checkout(Path(top), inside, (directory / common).resolve())


def check_clean(checkout: Checkout) -> None:
    """Return when a worktree made now has all that the checkout has. Raises RefusedError."""
    git = Git(checkout.top)
    if not git.is_true("rev-parse", "--quiet", "--verify", "HEAD^{commit}"):
        what = f"{checkout.top} has no commit yet to begin a branch at: commit something, or leave out --worktree"
        raise RefusedError(what, code="no-commit")
    changed = changes(git, "--untracked-files=no")
    if changed:
        more = f" and {len(changed) - _NAMED} more" if len(changed) > _NAMED else ""
        raise RefusedError(
            f"{checkout.top} has changes that a worktree would not have: {', '.join(changed[:_NAMED])}{more}; "
            "commit them, or put them away with `git stash`",
            code="uncommitted-changes",
            details={"files": changed},
        )


def changes(git: Git, *how: str) -> list[str]:
    """The paths that differ from the last commit, by `git status`."""
    said = git.ask("status", "--porcelain", "-z", "--ignore-submodules=untracked", *how).split("\0")
    found = []
    entries = iter(said)
    for entry in entries:
        if entry:
            found.append(entry[3:])
        if entry[:1] in ("R", "C"):  # what it was called before stands in an entry of its own
            next(entries, None)
    return found


def check_branches(checkout: Checkout, wanted: Mapping[str, str]) -> None:
    """Return when none of these branches, by the names of their agents, is there. Raises RefusedError."""
    root = branches.PREFIX.rstrip("/")
    there = Git(checkout.top).ask("for-each-ref", "--format=%(refname)", f"{_HEADS}{root}").split("\n")
    if f"{_HEADS}{root}" in there:
        what = f"the branch {root!r} leaves no room for {root}/NAME: rename it with `git branch -m {root} NEW`"
        raise RefusedError(what, code="branch-taken")
    for branch, name in wanted.items():
        ref = f"{_HEADS}{branch}"
        if any(one == ref or one.startswith(f"{ref}/") for one in there):
            raise RefusedError(
                f"the branch {branch} of agent {name!r} is there already: give it another --name, or see "
                "`orchctl worktrees list` and `orchctl worktrees prune`",
                code="branch-taken",
                details={"branch": branch},
            )


def free_name(name: str, directory: Path, but: set[str]) -> str:
    """`name`, or with a number behind it, so that its branch is neither there yet nor one of `but`, which it joins."""
    there = Git(directory).ask("for-each-ref", "--format=%(refname:lstrip=2)", f"{_HEADS}{branches.PREFIX}").split("\n")
    for number in range(1, len(there) + len(but) + 2):
        candidate = name if number == 1 else f"{name}-{number}"
        branch = branches.branch_of(candidate)
        if branch not in but and not any(one == branch or one.startswith(f"{branch}/") for one in there):
            break
    but.add(branch)
    return candidate


def _name(spec: Mapping[str, object]) -> str:
    try:
        return agentspec.name_of(shapes.build(agentspec.AgentSpec, spec))
    except shapes.ShapeError:  # the daemon says what is wrong with it
        return "agent"
