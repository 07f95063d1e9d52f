"""`orchctl resume`: start agents again after `pause`, or resume single agents."""

from __future__ import annotations

from types import SimpleNamespace

from orchctl import exit_codes
from orchctl.client import Client
from orchctl.render import text
from orchctl.terminal import console


def run(args: SimpleNamespace) -> int:
    """Print the slots; with ids, a line for each agent."""
    with Client() as client:
        result = client.call("resume", {"ids": list(args.ids)} if args.ids else {})
    console.result(result, text.steered_lines(result, console.dot()), as_json=args.json)
    return exit_codes.OK
