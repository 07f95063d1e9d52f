"""`orchctl resume`: start agents again after `pause`."""

from __future__ import annotations

from types import SimpleNamespace

from orchctl import exits, out, render
from orchctl.client import Client


def run(args: SimpleNamespace) -> int:
    """Print the places as they are now."""
    with Client() as client:
        result = client.call("resume")
    out.result(result, [render.places(result, out.dot())], as_json=args.json)
    return exits.OK
