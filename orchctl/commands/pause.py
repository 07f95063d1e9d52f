"""`orchctl pause`: start no more agents until `resume`; those that run go on."""

from __future__ import annotations

from types import SimpleNamespace

from orchctl import exits, out, render
from orchctl.client import Client


def run(args: SimpleNamespace) -> int:
    """Print the places as they are now."""
    with Client() as client:
        result = client.call("pause")
    out.result(result, [render.places(result, out.dot())], as_json=args.json)
    return exits.OK
