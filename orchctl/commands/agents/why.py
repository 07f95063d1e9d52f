"""`orchctl why`: why an agent or a run does not go on, or ended so. It never starts a daemon."""

from __future__ import annotations

import time
from types import SimpleNamespace

from orchctl import exit_codes
from orchctl.client import Client
from orchctl.terminal import console


def run(args: SimpleNamespace) -> int:
    """Print the rule, who is in the way and what would change it; of what is over, how it came to that."""
    from orchctl.history.why import explanation, lines

    with Client(starts=False) as client:
        answer = explanation(client, args.id)
    console.result(answer, lines(answer, time.clock_gettime(time.CLOCK_REALTIME)), as_json=args.json)
    return exit_codes.OK
