"""`orchctl retry`: a new attempt for agents that ended without completing."""

from __future__ import annotations

from types import SimpleNamespace

from orchctl import attributes, envfiles, exits, out, render, targets
from orchctl.client import Client
from orchctl.here import here
from orchctl.start import for_agents


def run(args: SimpleNamespace) -> int:
    """Print a line for each. The new attempt has the environment of the first, and --env-file and --env over it."""
    variables = for_agents() if args.current_env and not targets.is_far() else {}
    variables |= envfiles.read(args.env_file, here("/")) | envfiles.pairs(args.env)
    request: dict[str, object] = {"ids": args.ids, "env": variables, "current_env": args.current_env}
    with Client() as client:
        own = {} if targets.is_far() else {"attributes": attributes.own()}
        result = client.call("retry", {**request, **own})
    out.result(result, render.told_lines(result["agents"]), as_json=args.json)
    return exits.OK
