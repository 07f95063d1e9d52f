"""`orchctl cancel`: kill agents and all their descendants."""

from __future__ import annotations

import os
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
        raise UsageError("--wait-timeout requires --wait: give both")
    with Client() as client:
        ids = args.ids
        if args.all:
            everything = pages.status(client, {"usage": False})["agents"]
            parents = {agent["id"]: agent["parent"] for agent in everything if not text.is_over(agent)}
            own = os.environ.get(ENV_AGENT)  # an agent ends what it has spawned
            # an agent whose parent is in the list ends with the parent
            ids = [agent for agent, parent in parents.items() if (parent == own if own else parent not in parents)]
        unfinished: list[str] = []  # at and below `ids`: an agent may end before the wait for it begins
        frontier = list(ids) if args.wait else []
        while frontier:
            pieces = [frontier[at : at + _PAGE] for at in range(0, len(frontier), _PAGE)]
            replies = [client.call("status", {"ids": piece, "usage": False})["agents"] for piece in pieces]
            agents = [agent for reply in replies for agent in reply]
            unfinished += [agent["id"] for agent in agents if not text.is_over(agent)]
            frontier = [child for agent in agents for child in agent["children"]]
        pieces = [ids[at : at + MOST] for at in range(0, len(ids), MOST)]
        replies = [client.call("cancel", {"ids": piece})["agents"] for piece in pieces]
        result: dict[str, Any] = {"agents": [agent for reply in replies for agent in reply]}
        if args.wait:
            result["timed_out"] = False
            if awaited := dict.fromkeys([*(agent["id"] for agent in result["agents"]), *unfinished]):
                result = client.wait(ids=awaited, scope="tree", timeout=args.wait_timeout)
                result["agents"].sort(key=text.number)
    console.result(result, text.changed_lines(result["agents"]), as_json=args.json)
    return exit_codes.TIMED_OUT if result.get("timed_out") else exit_codes.OK
