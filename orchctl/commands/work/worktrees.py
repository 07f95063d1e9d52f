"""`orchctl worktrees`: the git worktrees of agents, and clearing away those that nobody needs."""

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
from orchctl.worktrees.create import all_in, held
from orchctl.worktrees.prune import Agents, Removal, Worktree
from orchd.protocol.errors import WireError


def show_all(args: SimpleNamespace) -> int:
    """Print a line for each, or `{worktrees}`. It never starts a daemon."""
    from orchctl.worktrees import views

    with Client(starts=False) as client:
        found = _chosen(client, args)
        agents = _agents(client, found)
    maps = [views.shown(one, agents.get(one.path.name)) for one in found]
    lines = render.aligned([_row(one) for one in maps]) or ["no worktrees; `orchctl spawn --worktree` makes some"]
    console.result({"worktrees": maps}, lines, as_json=args.json)
    return exit_codes.OK


def show(args: SimpleNamespace) -> int:
    """Print all about one worktree. It never starts a daemon."""
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
            with held(client.home.worktrees, is_alone=True):
                maps.append(_removed(client, worktree, args))
    if args.json:
        console.say_json({"worktrees": maps})
    return exit_codes.OK if all(view["removed"] for view in maps) else exit_codes.REFUSED


def _removed(client: Client, worktree: Worktree, args: SimpleNamespace) -> dict[str, Any]:
    """Remove it, and print what is lost before, and what became of it after."""
    from orchctl.worktrees import remove as worktree_removal

    agent, lost = worktree.path.name, []

    def report(found: worktree_removal.Lost) -> None:
        lost.append(found.shown(worktree))
        if not args.json:
            for line in found.lines(worktree):
                console.print_line(render.clean_line(f"{agent}  {line}"))
            console.flush()

    agents = Agents(_ended(client, agent), _living(client))
    if args.force:
        outcome = worktree_removal.forced(worktree, agents, report)
    else:
        outcome = worktree_removal.removed(worktree, agents)
    view = {**_told(worktree, outcome), "lost": lost[0] if lost else None}
    if not args.json:
        console.print_line(_sentence(view, "removed") + ("" if view["removed"] else _way_out(worktree, agents, args)))
    return view


def _way_out(worktree: Worktree, agents: Agents, args: SimpleNamespace) -> str:
    """What removes a worktree that stays, as the end of a sentence."""
    from orchctl.worktrees.remove import can_be_forced

    if (occupant := worktree.occupant(agents)) is not None:
        return f"; `orchctl cancel {occupant}` first"
    return "" if args.force or not can_be_forced(worktree, agents) else "; --force removes it with what it holds"


def _ended(client: Client, agent: str) -> dict[str, dict[str, Any]]:
    """The agent by its id, or nothing when it is no longer in the history. Raises WireError when it may not be seen."""
    try:
        return {agent: client.call("status", {"ids": [agent], "usage": False})["agents"][0]}
    except WireError as error:
        if error.code not in ("unknown-agent", "pruned"):
            raise
        return {}


def _living(client: Client) -> list[dict[str, Any]]:
    return [agent for agent in pages.status(client, {})["agents"] if not render.is_over(agent)]


def _every(client: Client) -> list[Worktree]:
    """The worktrees of every repository."""
    return [Worktree(path, record) for path, record in all_in(client.home.worktrees)]


def prune(args: SimpleNamespace) -> int:
    """Remove what can go and say why the rest stays: `{worktrees: [{path, branch, agent, removed, ...}]}`."""
    maps = []
    with Client() as client:  # only a daemon knows whether an agent still lives
        for one in _chosen(client, args):
            # one at a time and each looked at anew: who is over may be tried again, and what one branch
            # has in common with another is in no other once that one is gone
            with held(client.home.worktrees, is_alone=True):
                known = Agents(pages.known(client, [one.path.name]), _living(client))
                maps.append(_told(one, one.pruned(known, is_dry=args.dry_run, with_ignored=args.ignored)))
    verb = "would be removed" if args.dry_run else "removed"
    lines = [_sentence(one, verb) for one in maps] or ["no worktrees"]
    console.result({"worktrees": maps}, lines, as_json=args.json)
    return exit_codes.OK


def _chosen(client: Client, args: SimpleNamespace) -> list[Worktree]:
    """Those of the repository that this is in, or all."""
    found = _every(client)
    if args.all:
        return found
    repository = str(checkout_of(Path.cwd(), "see those of every repository with --all").repository)
    return [one for one in found if one.record.repository == repository]


def _agents(client: Client, found: list[Worktree]) -> Mapping[str, Mapping[str, Any]]:
    try:
        return pages.known(client, [one.path.name for one in found])
    except NoDaemonError:
        console.warn("no daemon answers: nobody knows what the agents do")
        return {}


def _row(one: Mapping[str, Any]) -> list[str]:
    ahead = "" if one["ahead"] is None else f"{one['ahead']} ahead of {one['origin'] or 'its start'}"
    files = one["uncommitted_files"]
    if files is None:
        state = "?" if Path(one["path"]).exists() else "gone"
    else:
        state = commits.left_text(files) if files else "clean"
    if head := one["elsewhere"]:
        count = f"{head['commits']} commit{'s' * (head['commits'] != 1)}"
        state += f", {count} elsewhere: on {head['branch'] or 'a detached HEAD'}"
    cells = [one["agent"], one["status"] or "?", one["branch"], ahead, state, one["path"]]
    return [render.clean(cell) for cell in cells]


def _told(one: Worktree, outcome: Removal) -> dict[str, Any]:
    return {
        "path": str(one.place),
        "branch": one.record.branch,
        "agent": one.path.name,
        "removed": outcome.is_removed,
        "branch_deleted": outcome.is_branch_deleted,
        "reason": outcome.reason,
    }


def _sentence(one: Mapping[str, Any], verb: str) -> str:
    if not one["removed"]:
        text = f"{one['agent']}  kept {one['path']}: {one['reason']}"
    elif one["reason"]:
        text = f"{one['agent']}  {verb}, but its branch {one['branch']} stays: {one['reason']}"
    else:
        text = f"{one['agent']}  {verb}, with its branch {one['branch']}"
    return render.clean_line(text)
