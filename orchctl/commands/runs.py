"""`orchctl runs`: the runs there are. It never starts a daemon."""

from __future__ import annotations

import time
from types import SimpleNamespace

from orchctl import exits, out
from orchctl.client import Client
from orchctl.runs import runs_lines


def run(args: SimpleNamespace) -> int:
    """Print a line for each run, newest first, or `{runs}`."""
    with Client(starts=False) as client:
        answer = client.call("runs", {"all": args.all})
        found, more = answer["runs"], answer["more"]
        while args.all and more is not None:
            answer = client.call("runs", {"all": True, "before": more})
            found, more = found + answer["runs"], answer["more"]
    lines = runs_lines(found, time.clock_gettime(time.CLOCK_REALTIME))
    out.result({"runs": found}, lines or ["no runs; `orchctl run FILE` starts one"], as_json=args.json)
    return exits.OK
