"""Checks whether agents can have worktrees, before they are spawned and again when a worktree is made."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from orchctl.errors import RefusedError
from orchctl.render.text import listed
from orchctl.worktrees.git import FAILED, Git
from orchctl.worktrees.heads import HEADS
from orchctl.worktrees.settings import Filling, filling, session_paths
from orchd.protocol import branches, schema
from orchd.protocol import specs as agentspec

# What `bd`, orchctl and the daemon write while agents work: no edit of a person.
_BOOKS = (".beads", ".agent", ".claude/state")


class Checkout(NamedTuple):
    """Where a directory stands in a working tree of git."""

    top: Path  # of the working tree
    inside: str  # the directory below it, with a slash at the end, or nothing
    repository: Path  # the directory that all its worktrees share


def check(specs: Sequence[dict[str, object]], directory: Path, config: Path) -> list[str]:
    """Give every agent of `specs` that wants a worktree its base. Raises RefusedError when an agent cannot have it.

    `directory` is the default directory of agents, `config` the config.toml of the home. Returns warnings, each a
    line, about files that the worktrees will not have.
    """
    wanted: dict[Path, list[dict[str, object]]] = {}
    for spec in specs:
        if spec.get("worktree"):
            wanted.setdefault(Path(str(spec.get("cwd") or directory)), []).append(spec)
    branches_of: dict[Path, set[str]] = {}
    warnings: dict[str, None] = {}
    for place, members in wanted.items():
        checkout = checkout_of(place)
        base = head(checkout)
        warnings |= dict.fromkeys(looked_at(checkout, config))
        names = []
        for spec in members:
            try:
                names.append(agentspec.name_of(schema.parse(agentspec.AgentSpec, spec)))
            except schema.ShapeError:  # the daemon says what is wrong with it
                names.append("agent")
            spec.setdefault("base", base)
        taken = branches_of.setdefault(checkout.repository, set())
        for name in names:
            branch = branches.branch_of(name)
            if branch in taken:
                what = f"two agents of this request would use the branch {branch}: give each agent its own name"
                raise RefusedError(what, code="branch-taken")
            taken.add(branch)
        check_branches(checkout, {branches.branch_of(name): name for name in names})
    return list(warnings)


def looked_at(checkout: Checkout, config: Path, but: Collection[Path] = ()) -> list[str]:
    """Return lines about files that worktrees made from this checkout will not have.

    Changes of the files `but` do not count. Raises RefusedError when no worktree can be filled.
    """
    filled = filling_of(config, checkout)
    lines = list(unseen(checkout, but, (*_BOOKS, *session_paths(config))))
    if not filled.submodules and (checkout.top / ".gitmodules").exists():
        what = "submodules are empty in worktrees"
        lines.append(f"{checkout.top}: {what}; `submodules = true` of the table [worktree] in .orchd.toml fills them")
    return lines


def filling_of(config: Path, checkout: Checkout) -> Filling:
    """Return what worktrees made from this checkout are filled with. Raises RefusedError."""
    return filling(config, checkout.top, checkout.repository)


def checkout_of(directory: Path, way_out: str = "leave out --worktree") -> Checkout:
    """Return the checkout that has `directory` in it. Raises RefusedError (`no-repository`) when there is none."""
    try:
        output = Git(directory).ask("rev-parse", "--show-toplevel", "--git-common-dir", "--show-prefix")
    except RefusedError as error:
        if error.code != FAILED:
            raise
        what = f"{directory} is not in a git repository ({error.message}): change to a checkout, or {way_out}"
        raise RefusedError(what, code="no-repository") from None
    top, common, inside = [*output.split("\n"), ""][:3]
    return Checkout(Path(top), inside, (directory / common).resolve())


def head(checkout: Checkout) -> str:
    """Return the commit at which a worktree begins that is requested now. Raises RefusedError (`no-commit`)."""
    commit = Git(checkout.top).maybe("rev-parse", "--quiet", "--verify", "HEAD^{commit}")
    if commit is None:
        what = f"{checkout.top} has no commits yet: commit something, or leave out --worktree"
        raise RefusedError(what, code="no-commit")
    return commit


def unseen(checkout: Checkout, but: Collection[Path] = (), books: Sequence[str] = _BOOKS) -> Iterator[str]:
    """Return a line that names the changes which no worktree will have, when there are any.

    Files in the directories `books`, at the top or below, do not count, and neither do the files `but`.
    """
    ignored = {os.path.realpath(path) for path in but}
    try:
        names = changes(Git(checkout.top), "--untracked-files=no")
    except RefusedError as error:
        if error.code != FAILED:
            raise
        yield f"cannot check {checkout.top} for changes that worktrees do not have: {error.message}"
        return
    changed = [
        name
        for name in names
        if not any(Path(name).is_relative_to(book) or f"/{book}/" in name for book in books)
        and os.path.realpath(checkout.top / name) not in ignored
    ]
    if changed:
        yield (
            f"{checkout.top} has changes that worktrees do not have: {listed(changed)}; "
            "worktrees start at the last commit; commit the changes that agents need"
        )


def changes(git: Git, *how: str) -> list[str]:
    """List the paths that differ from the last commit, by `git status`."""
    paths = []
    entries = iter(git.entries("status", "--porcelain", "--ignore-submodules=untracked", *how))
    for entry in entries:
        paths.append(entry[3:])
        if entry[:1] in ("R", "C"):  # what it was called before stands in an entry of its own
            next(entries, None)
    return paths


def check_branches(checkout: Checkout, wanted: Mapping[str, str]) -> None:
    """Raise RefusedError when a branch of `wanted`, a map from branches to the names of their agents, exists."""
    root = branches.PREFIX.rstrip("/")
    refs = Git(checkout.top).ask("for-each-ref", "--format=%(refname)", f"{HEADS}{root}").split("\n")
    if f"{HEADS}{root}" in refs:
        what = f"the branch {root!r} prevents branches {root}/NAME: rename it with `git branch -m {root} NEW`"
        raise RefusedError(what, code="branch-taken")
    for branch, name in wanted.items():
        ref = f"{HEADS}{branch}"
        if any(other == ref or other.startswith(f"{ref}/") for other in refs):
            raise RefusedError(
                f"the branch {branch} of agent {name!r} already exists: give the agent another --name, or see "
                "`orchctl worktrees list` and `orchctl worktrees prune`",
                code="branch-taken",
                details={"branch": branch},
            )


def has_worktree(agent: Mapping[str, Any]) -> bool:
    """Whether an agent has completed in a worktree that still exists, so that dependents can start with its work."""
    path = agent.get("worktree")
    return agent["status"] == "completed" and path is not None and Path(f"{path}.json").exists()


def free_name(name: str, directory: Path, but: set[str]) -> str:
    """Return `name`, or `name-2` and so on, whose branch neither exists nor is in `but`, to which it is added."""
    existing = (
        Git(directory).ask("for-each-ref", "--format=%(refname:lstrip=2)", f"{HEADS}{branches.PREFIX}").split("\n")
    )
    for number in range(1, len(existing) + len(but) + 2):
        candidate = name if number == 1 else f"{name}-{number}"
        branch = branches.branch_of(candidate)
        if branch not in but and not any(other == branch or other.startswith(f"{branch}/") for other in existing):
            break
    but.add(branch)
    return candidate
