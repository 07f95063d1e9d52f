"""`orchctl runs`: the runs there are. It never starts a daemon."""

from __future__ import annotations

import time
from types import SimpleNamespace

from orchctl import census, exits, out
from orchctl.client import Client
from orchctl.runs import runs_lines


def run(args: SimpleNamespace) -> int:
    """Print a line for each run, newest first, or `{runs}`."""
    with Client(starts=False) as client:
        found = census.whole(client, "runs", {"all": args.all}, "runs")["runs"]
    lines = runs_lines(found, time.clock_gettime(time.CLOCK_REALTIME))
    out.result({"runs": found}, lines or ["no runs; `orchctl run FILE` starts one"], as_json=args.json)
    return exits.OK
