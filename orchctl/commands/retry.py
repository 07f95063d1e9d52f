"""`orchctl retry`: a new attempt for agents that ended without completing."""

from __future__ import annotations

from types import SimpleNamespace

from orchctl import attributes, envfiles, exits, out, render, targets
from orchctl.client import Client
from orchctl.here import here
from orchctl.start import environment


def run(args: SimpleNamespace) -> int:
    """Print a line for each; this environment is the new attempt's, with what --env-file says over it."""
    variables = ({} if targets.is_far() else environment()) | envfiles.read(args.env_file, here("/"))
    with Client() as client:
        own = {} if targets.is_far() else {"attributes": attributes.own()}
        result = client.call("retry", {"ids": args.ids, "env": variables, **own})
    out.result(result, render.told_lines(result["agents"]), as_json=args.json)
    return exits.OK
