"""`orchctl worktrees`: the git worktrees of agents: list, show, remove and prune."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from orchctl import exit_codes
from orchctl.client import Client, pages
from orchctl.errors import NoDaemonError
from orchctl.render import text as render
from orchctl.terminal import console
from orchctl.worktrees import commits
from orchctl.worktrees.checks import checkout_of
from orchctl.worktrees.create import all_in, lock_worktrees
from orchctl.worktrees.prune import Agents, Removal, Worktree
from orchd.protocol.errors import WireError


def show_all(args: SimpleNamespace) -> int:
    """Print a line for each worktree, or `{worktrees}`. It never starts a daemon."""
    from orchctl.worktrees import views

    with Client(starts=False) as client:
        worktrees = _chosen(client, args)
        agents = _agents(client, worktrees)
    maps = [views.shown(worktree, agents.get(worktree.path.name)) for worktree in worktrees]
    rows = []
    for view in maps:
        ahead = "" if view["ahead"] is None else f"{view['ahead']} ahead of {view['origin'] or 'its start'}"
        files = view["uncommitted_files"]
        if files is None:
            state = "?" if Path(view["path"]).exists() else "gone"
        else:
            state = commits.left_text(files) if files else "clean"
        if head := view["elsewhere"]:
            count = f"{head['commits']} commit{'s' * (head['commits'] != 1)}"
            state += f", {count} elsewhere: on {head['branch'] or 'a detached HEAD'}"
        cells = [view["agent"], view["status"] or "?", view["branch"], ahead, state, view["path"]]
        rows.append([render.clean(cell) for cell in cells])
    lines = render.aligned(rows) or ["no worktrees; `orchctl spawn --worktree` creates one"]
    console.result({"worktrees": maps}, lines, as_json=args.json)
    return exit_codes.OK


def show(args: SimpleNamespace) -> int:
    """Print a worktree in detail. It never starts a daemon."""
    from orchctl.worktrees import views

    with Client(starts=False) as client:
        worktree = views.named(args.id, _every(client))
        known, living = _agents(client, [worktree]), []
        if known:
            living = _living(client)
    view = views.detailed(worktree, Agents(known, living))
    console.result(view, views.lines(view), as_json=args.json)
    return exit_codes.OK


def remove(args: SimpleNamespace) -> int:
    """Remove worktrees by the ids of their agents: `{worktrees: [{agent, removed, reason, lost, ...}]}`."""
    from orchctl.worktrees import views

    maps = []
    with Client() as client:  # only a daemon knows whether an agent is alive
        every = _every(client)
        chosen = dict.fromkeys(views.named(word, every) for word in args.ids)  # all are known, or none goes
        for worktree in chosen:
            with lock_worktrees(client.home.worktrees, is_alone=True):
                maps.append(_removed(client, worktree, args))
    if args.json:
        console.say_json({"worktrees": maps})
    return exit_codes.OK if all(view["removed"] for view in maps) else exit_codes.REFUSED


def _removed(client: Client, worktree: Worktree, args: SimpleNamespace) -> dict[str, Any]:
    """Print the work that is lost, remove the worktree, and print the outcome."""
    from orchctl.worktrees import remove as worktree_removal

    agent, lost = worktree.path.name, []

    def report(loss: worktree_removal.Lost) -> None:
        lost.append(loss.shown(worktree))
        if not args.json:
            for line in loss.lines(worktree):
                console.print_line(render.clean_line(f"{agent}  {line}"))
            console.flush()

    try:
        known = {agent: client.call("status", {"ids": [agent], "usage": False})["agents"][0]}
    except WireError as error:
        if error.code not in ("unknown-agent", "pruned"):  # the agent may not be seen
            raise
        known = {}  # it is no longer in the history
    agents = Agents(known, _living(client))
    if args.force:
        outcome = worktree_removal.forced(worktree, agents, report)
    else:
        outcome = worktree_removal.removed(worktree, agents)
    view = {**_view(worktree, outcome), "lost": lost[0] if lost else None}
    if not args.json:
        console.print_line(_sentence(view, "removed") + ("" if view["removed"] else _remedy(worktree, agents, args)))
    return view


def _remedy(worktree: Worktree, agents: Agents, args: SimpleNamespace) -> str:
    """Return how to remove a worktree that was kept, as the end of a sentence."""
    from orchctl.worktrees.remove import can_be_forced

    if (occupant := worktree.occupant(agents)) is not None:
        return f"; `orchctl cancel {occupant}` first"
    return "" if args.force or not can_be_forced(worktree, agents) else "; --force removes it with its contents"


def _living(client: Client) -> list[dict[str, Any]]:
    """Return the agents that have not finished."""
    return [agent for agent in pages.status(client, {})["agents"] if not render.is_over(agent)]


def _every(client: Client) -> list[Worktree]:
    """The worktrees of every repository."""
    return [Worktree(path, record) for path, record in all_in(client.home.worktrees)]


def prune(args: SimpleNamespace) -> int:
    """Remove worktrees without work and print why others are kept: `{worktrees: [{agent, removed, reason, ...}]}`."""
    maps = []
    with Client() as client:  # only a daemon knows whether an agent is alive
        for worktree in _chosen(client, args):
            # agents are asked for anew each time: a finished agent may get a new attempt, and commits that
            # two branches share are only in the second once the first is deleted
            with lock_worktrees(client.home.worktrees, is_alone=True):
                known = Agents(pages.known(client, [worktree.path.name]), _living(client))
                maps.append(_view(worktree, worktree.pruned(known, is_dry=args.dry_run, with_ignored=args.ignored)))
    verb = "would be removed" if args.dry_run else "removed"
    lines = [_sentence(view, verb) for view in maps] or ["no worktrees"]
    console.result({"worktrees": maps}, lines, as_json=args.json)
    return exit_codes.OK


def _chosen(client: Client, args: SimpleNamespace) -> list[Worktree]:
    """Return the worktrees of the repository of the current directory, or of all repositories."""
    every = _every(client)
    if args.all:
        return every
    repository = str(checkout_of(Path.cwd(), "use --all for the worktrees of every repository").repository)
    return [worktree for worktree in every if worktree.record.repository == repository]


def _agents(client: Client, worktrees: list[Worktree]) -> Mapping[str, Mapping[str, Any]]:
    """Return the agents of the worktrees, by id; none when no daemon answers."""
    try:
        return pages.known(client, [worktree.path.name for worktree in worktrees])
    except NoDaemonError:
        console.warn("no daemon is running: the states of the agents are unknown")
        return {}


def _view(worktree: Worktree, outcome: Removal) -> dict[str, Any]:
    """Return the outcome of a removal as JSON."""
    return {
        "path": str(worktree.place),
        "branch": worktree.record.branch,
        "agent": worktree.path.name,
        "removed": outcome.is_removed,
        "branch_deleted": outcome.is_branch_deleted,
        "reason": outcome.reason,
    }


def _sentence(view: Mapping[str, Any], verb: str) -> str:
    if not view["removed"]:
        text = f"{view['agent']}  kept {view['path']}: {view['reason']}"
    elif view["reason"]:
        text = f"{view['agent']}  {verb}, but its branch {view['branch']} is kept: {view['reason']}"
    else:
        text = f"{view['agent']}  {verb}, with its branch {view['branch']}"
    return render.clean_line(text)
