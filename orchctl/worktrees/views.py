"""Views of worktrees: in a list and in detail, and the lookup by an id, a name, a branch or a path."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from orchctl.errors import RefusedError
from orchctl.render import text as render
from orchctl.worktrees.checks import changes
from orchctl.worktrees.git import Git
from orchctl.worktrees.heads import HEADS, Elsewhere
from orchctl.worktrees.prune import Agents, Worktree
from orchctl.worktrees.remove import can_be_forced, described, unmerged
from orchctl.worktrees.untracked import nested
from orchd.protocol import branches, statuses
from orchd.protocol.ids import number_of

_ID = re.compile(r"(?:agent-)?(\d+)")
_LISTED = 20  # files of each kind


def named(word: str, worktrees: Sequence[Worktree]) -> Worktree:
    """Return the worktree with this agent id or name, branch or path.

    Raises RefusedError: `no-worktree`, or `ambiguous-name`.
    """
    if number := _ID.fullmatch(word):
        matches = [worktree for worktree in worktrees if number_of(worktree.path.name) == int(number[1])]
    else:
        path = os.path.realpath(word) if "/" in word else ""
        names = (word, branches.branch_of(word))
        matches = [
            worktree
            for worktree in worktrees
            if worktree.record.branch in names
            or (path and path in map(os.path.realpath, (worktree.path, worktree.place)))
        ]
    if not matches:
        raise RefusedError(
            f"{word!r}: no agent of this id or name has a worktree; `orchctl worktrees list --all` lists all of them",
            code="no-worktree",
        )
    if len(matches) > 1:
        ids = " and ".join(worktree.path.name for worktree in matches)
        raise RefusedError(f"{word!r} is ambiguous: {ids}; give one of these ids", code="ambiguous-name")
    return matches[0]


def shown(worktree: Worktree, agent: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return a worktree as `orchctl worktrees list` shows it."""
    files = ahead = None  # where git cannot tell: a broken repository must not hide the other worktrees
    if worktree.has_repository():
        with suppress(RefusedError):
            files = len(worktree.changed()) if _has_tree(worktree) else None
        with suppress(RefusedError):
            if (tip := worktree.commit(worktree.ref)) is not None:
                origin = worktree.commit(f"{HEADS}{worktree.record.origin}") if worktree.record.origin else None
                begin = origin or worktree.record.start  # the branch that it came from may be gone
                ahead = int(worktree.git.ask("rev-list", "--count", f"{begin}..{tip}"))
    return {
        "path": str(worktree.place),
        "branch": worktree.record.branch,
        "agent": worktree.path.name,
        "status": agent["status"] if agent else None,
        "repository": worktree.record.repository,
        "origin": worktree.record.origin,
        "ahead": ahead,
        "uncommitted": None if files is None else bool(files),
        "uncommitted_files": files,
        "elsewhere": None if (elsewhere := worktree.elsewhere()) is None else elsewhere.shown(),
    }


def _has_tree(worktree: Worktree) -> bool:
    """Whether git can examine the worktree: in a directory without a `.git`, git would examine the repository above."""
    return (worktree.place / ".git").exists()


def detailed(worktree: Worktree, agents: Agents) -> dict[str, Any]:
    """Return a worktree as `orchctl worktrees show` shows it."""
    agent = agents.known.get(worktree.path.name)
    changed = untracked = None  # where git cannot tell
    if _has_tree(worktree) and worktree.has_repository():
        with suppress(RefusedError):
            tracked = changes(Git(worktree.place), "--untracked-files=no")
            known = set(tracked)
            untracked = [name for name in worktree.changed() if name not in known]
            changed = tracked
    planned = worktree.pruned(agents, is_dry=True)
    tip = worktree.tip()
    commits = unmerged(worktree)
    behind = None
    if tip is not None and (origin := worktree.record.origin) is not None:
        count = worktree.git.maybe("rev-list", "--count", f"{tip}..{HEADS}{origin}")
        behind = None if count is None else int(count)
    view = {
        **shown(worktree, agent),
        "name": agent["name"] if agent else None,
        "exists": worktree.place.exists(),
        "base": worktree.record.start,
        "tip": tip,
        "behind": behind,
        "changed": changed,
        "untracked": untracked,
        "repositories": worktree.described(nested(untracked or ())),
        "merged": None if commits is None else not commits,
        "unmerged": [described(worktree, commit) for commit in commits or ()],
        "kept": planned.reason,
    }
    is_stuck = planned.reason is not None and not can_be_forced(worktree, agents)
    if is_stuck and _is_finished(view):
        commands = _unblocking_commands(worktree, view, agents)
    else:
        commands = _next_commands(view, worktree.elsewhere())
    return {**view, "next": list(commands)}


def _next_commands(view: Mapping[str, Any], elsewhere: Elsewhere | None) -> Iterator[str]:
    """List the commands for the next step, the usual command first."""
    agent, path, branch = view["agent"], shlex.quote(view["path"]), shlex.quote(view["branch"])
    if not _is_finished(view):
        yield f"orchctl logs {agent} -f"
        yield f"orchctl cancel {agent}"
        return
    inner = nested(view["untracked"] or ())
    if view["changed"] or view["untracked"]:
        yield f"git -C {path} status"
    for name in inner:  # `git add` would commit a reference to them, without their commits
        yield f"git -C {shlex.quote(os.path.join(view['path'], name))} log --oneline --all"  # noqa: PTH118 - a text
    if view["changed"] or len(inner) < len(view["untracked"] or ()):
        but = "".join(f" {shlex.quote(f':(exclude){name}')}" for name in inner)
        yield f"git -C {path} add --all{' -- .' + but if but else ''} && git -C {path} commit"
    if elsewhere is not None:
        yield from _to_branch(path, branch, elsewhere)
    if view["merged"] is False:
        if view["origin"] is not None:
            yield f"git diff {shlex.quote(view['origin'])}...{branch}"
        yield f"git merge {branch}"
    yield f"orchctl worktrees remove {agent}{' --force' if view['kept'] else ''}"


def _is_finished(view: Mapping[str, Any]) -> bool:
    return view["status"] is None or view["status"] in statuses.FINISHED


def _unblocking_commands(worktree: Worktree, view: Mapping[str, Any], agents: Agents) -> Iterator[str]:
    """List the commands for a worktree that not even `remove --force` removes as it is."""
    agent, path, repository = view["agent"], shlex.quote(view["path"]), shlex.quote(view["repository"])
    entry = worktree.entry() if worktree.has_repository() else None
    if (occupant := worktree.occupant(agents)) is not None:
        yield f"orchctl cancel {occupant}"
    elif entry is None:
        yield f"ls -A {path}"
        yield f"mv {path} {path}.away && orchctl worktrees remove {agent}"
    elif entry.lock is not None:
        yield f"git -C {repository} worktree unlock {path}"
    elif not _has_tree(worktree):
        yield worktree.repairing()
    else:
        yield f"git -C {repository} worktree list"
    yield f"orchctl worktrees show {agent}"


def _to_branch(path: str, branch: str, elsewhere: Elsewhere) -> Iterator[str]:
    """List the commands that bring commits of the HEAD to the branch of the worktree."""
    if elsewhere.doubt is None:
        yield f"git -C {path} branch --force {branch} {elsewhere.commit[:12]}"
        return
    yield f"git -C {path} log --graph {branch} {elsewhere.commit[:12]}"
    yield f"git -C {path} checkout {branch} && git -C {path} merge {elsewhere.commit[:12]}"


def lines(view: Mapping[str, Any]) -> list[str]:
    """Return the lines of the view in a terminal."""
    target = view["origin"] or "its base"
    ahead = [f"{view[key]} {key}" for key in ("ahead", "behind") if view[key] is not None]
    merged = {None: "unknown", True: "yes", False: f"no, {len(view['unmerged'])} in no other branch"}[view["merged"]]
    elsewhere = []
    if head := view["elsewhere"]:
        count = f"{head['commits']} commit{'s' * (head['commits'] != 1)}"
        place = f"{head['branch'] or 'a detached HEAD'} at {head['head'][:12]}"
        elsewhere = [["elsewhere", f"{count} on {place}, not on {view['branch']}"]]
    rows = [
        ["agent", " ".join(filter(None, (view["agent"], view["name"], view["status"] or "status unknown")))],
        ["path", view["path"] + ("" if view["exists"] else " (missing)")],
        ["branch", f"{view['branch']}{'' if view['tip'] is None else ' at ' + view['tip'][:12]}"],
        ["base", view["base"][:12]],
        ["target", ", ".join([target, *ahead])],
        ["repository", view["repository"] + ("" if Path(view["repository"]).is_dir() else " (missing)")],
        *elsewhere,
        ["merged", merged],
        *_listing("", view["unmerged"]),
        *_listing("uncommitted", view["changed"]),
        *_listing("untracked", view["untracked"]),
        *(_listing("repositories", view["repositories"]) if view["repositories"] else ()),
        ["prune", f"no: {view['kept']}" if view["kept"] else "would be removed"],
        *(["next" if index == 0 else "", command] for index, command in enumerate(view["next"])),
    ]
    return render.aligned([[label, render.clean(text)] for label, text in rows])


def _listing(label: str, names: Sequence[str] | None) -> Iterator[list[str]]:
    """List a row for each name, up to a limit."""
    if names is None or (label and not names):
        yield from [[label, "unknown" if names is None else "none"]] if label else []
        return
    more = [f"and {len(names) - _LISTED} more"] if len(names) > _LISTED else []
    yield from ([label if index == 0 else "", text] for index, text in enumerate([*names[:_LISTED], *more]))
