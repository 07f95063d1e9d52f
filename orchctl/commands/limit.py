"""`orchctl limit`: show how many agents may work and live, or change it at once."""

from __future__ import annotations

from types import SimpleNamespace

from orchctl import exits, out, render
from orchctl.client import Client


def run(args: SimpleNamespace) -> int:
    """Print the places as they are now."""
    wanted = {"limit": args.limit, "resident": args.resident}
    with Client() as client:
        result = client.call("limit", {key: number for key, number in wanted.items() if number is not None})
    out.result(result, [render.places(result, out.dot())], as_json=args.json)
    return exits.OK
