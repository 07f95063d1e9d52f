"""`orchctl runs`: list runs. It never starts a daemon."""

from __future__ import annotations

import time
from types import SimpleNamespace

from orchctl import exit_codes
from orchctl.client import Client, pages
from orchctl.render.runs import runs_lines
from orchctl.terminal import console


def run(args: SimpleNamespace) -> int:
    """Print a line for each run, newest first, or `{runs}`."""
    with Client(starts=False) as client:
        runs = pages.whole(client, "runs", {"all": args.all}, "runs")["runs"]
    lines = runs_lines(runs, time.clock_gettime(time.CLOCK_REALTIME))
    console.result({"runs": runs}, lines or ["no runs; `orchctl run FILE` starts one"], as_json=args.json)
    return exit_codes.OK
