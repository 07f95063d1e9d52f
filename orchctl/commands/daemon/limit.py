"""`orchctl limit`: show or set the number of slots, and how many agents may be alive."""

from __future__ import annotations

from types import SimpleNamespace

from orchctl import exit_codes
from orchctl.client import Client
from orchctl.errors import UsageError
from orchctl.render import text
from orchctl.terminal import console


def run(args: SimpleNamespace) -> int:
    """Print the slots."""
    if args.reset and (args.limit, args.resident) != (None, None):
        raise UsageError("--reset restores the limits of config.toml: leave out N and --resident")
    wanted: dict[str, object] = {"limit": args.limit, "resident": args.resident, "reset": args.reset or None}
    with Client() as client:
        result = client.call("limit", {key: number for key, number in wanted.items() if number is not None})
    console.result(result, [text.slots(result, console.dot())], as_json=args.json)
    return exit_codes.OK
