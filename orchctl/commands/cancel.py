"""`orchctl cancel`: end agents and all that is under them."""

from __future__ import annotations

from types import SimpleNamespace

from orchctl import exits, out, render
from orchctl.client import Client


def run(args: SimpleNamespace) -> int:
    """Print a line for each: it is `stopping` until its processes are gone."""
    with Client() as client:
        result = client.call("cancel", {"ids": args.ids})
    out.result(result, render.told_lines(result["agents"]), as_json=args.json)
    return exits.OK
