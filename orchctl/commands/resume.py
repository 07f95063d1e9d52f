"""`orchctl resume`: start agents again after `pause`, or let the agents that are named continue."""

from __future__ import annotations

from types import SimpleNamespace

from orchctl import exits, out, render
from orchctl.client import Client


def run(args: SimpleNamespace) -> int:
    """Print the slots as they are now; with ids, a line for each agent."""
    with Client() as client:
        result = client.call("resume", {"ids": list(args.ids)} if args.ids else {})
    out.result(result, render.steered_lines(result, out.dot()), as_json=args.json)
    return exits.OK
