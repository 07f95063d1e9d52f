"""`orchctl budget`: show or set the budget of a session or a run."""

from __future__ import annotations

from types import SimpleNamespace

from orchctl import exit_codes
from orchctl.client import Client
from orchctl.errors import UsageError
from orchctl.render import sessions
from orchctl.terminal import console


def run(args: SimpleNamespace) -> int:
    """Print the tokens and the cost so far, and the budget."""
    wanted = {"max_tokens": args.max_tokens, "max_cost": args.max_cost}
    given = {key: value for key, value in wanted.items() if value is not None}
    if args.unlimited and given:
        raise UsageError("--unlimited cannot be combined with --max-tokens or --max-cost")
    with Client(starts=False) as client:
        answer = client.call("budget", {"id": args.id, "unlimited": args.unlimited, **given})
    console.result(answer, [sessions.budget_line(answer)], as_json=args.json)
    return exit_codes.OK
