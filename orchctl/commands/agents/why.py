"""`orchctl why`: why an agent or a run is blocked, or how it ended. It never starts a daemon."""

from __future__ import annotations

import time
from types import SimpleNamespace

from orchctl import exit_codes
from orchctl.client import Client
from orchctl.terminal import console


def run(args: SimpleNamespace) -> int:
    """Print the rule, the blockers and the next step; for a finished agent or run, how it ended."""
    from orchctl.history.why import explanation, lines

    with Client(starts=False) as client:
        answer = explanation(client, args.id)
    console.result(answer, lines(answer, time.clock_gettime(time.CLOCK_REALTIME)), as_json=args.json)
    return exit_codes.OK
