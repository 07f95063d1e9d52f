"""`orchctl pause`: stop starting agents until `resume`, or pause single agents."""

from __future__ import annotations

from types import SimpleNamespace

from orchctl import exit_codes
from orchctl.client import Client
from orchctl.errors import UsageError
from orchctl.render import text
from orchctl.terminal import console


def run(args: SimpleNamespace) -> int:
    """Print the slots; with ids, a line for each agent."""
    if args.release_slot and not args.ids:
        raise UsageError("--release-slot requires ids or names of agents: add them, or leave it out")
    with Client() as client:
        if args.ids:
            result = client.call("pause", {"ids": list(args.ids), "release_slot": args.release_slot})
        else:
            result = client.call("pause")
    console.result(result, text.steered_lines(result, console.dot()), as_json=args.json)
    return exit_codes.OK
