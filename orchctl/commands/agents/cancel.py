"""`orchctl cancel`: end agents and all that is under them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

from orchctl import exit_codes
from orchctl.client import Client, pages
from orchctl.errors import UsageError
from orchctl.render import text
from orchctl.terminal import console
from orchd.instance.environment import ENV_AGENT
from orchd.protocol.frames import MOST

_PAGE = 500  # agents of one answer


def run(args: SimpleNamespace) -> int:
    """Print a line for each agent: it is `stopping` until its processes are gone. With --wait, print how each ended."""
    if bool(args.ids) == args.all:
        raise UsageError("give the ids or names of agents or runs, or --all" + (", not both" if args.all else ""))
    if args.wait_timeout is not None and not args.wait:
        raise UsageError("--wait-timeout is for --wait: give both")
    with Client() as client:
        ids = args.ids
        if args.all:
            everything = pages.status(client, {"usage": False})["agents"]
            parents = {agent["id"]: agent["parent"] for agent in everything if not text.is_over(agent)}
            own = os.environ.get(ENV_AGENT)  # an agent ends what it has spawned
            # an agent whose parent is in the list ends with the parent
            ids = [agent for agent, parent in parents.items() if (parent == own if own else parent not in parents)]
        below = _below(client, ids) if args.wait else []
        agents: list[dict[str, Any]] = []
        for at in range(0, len(ids), MOST):
            agents += client.call("cancel", {"ids": ids[at : at + MOST]})["agents"]
        result: dict[str, Any] = {"agents": agents}
        if args.wait:
            result["timed_out"] = False
            if named := dict.fromkeys([*(agent["id"] for agent in agents), *below]):
                result = client.wait(ids=named, scope="tree", timeout=args.wait_timeout)
                result["agents"].sort(key=text.number)
    console.result(result, text.told_lines(result["agents"]), as_json=args.json)
    return exit_codes.TIMED_OUT if result.get("timed_out") else exit_codes.OK


def _below(client: Client, ids: Iterable[str]) -> list[str]:
    """Return the agents at and below `ids` that are not over: an agent may end before the wait for it begins."""
    unfinished: list[str] = []
    frontier = list(ids)
    while frontier:
        agents: list[dict[str, Any]] = []
        for at in range(0, len(frontier), _PAGE):
            agents += client.call("status", {"ids": frontier[at : at + _PAGE], "usage": False})["agents"]
        unfinished += [agent["id"] for agent in agents if not text.is_over(agent)]
        frontier = [child for agent in agents for child in agent["children"]]
    return unfinished
