"""`orchctl export`: time, tokens and cost of agents, as data for a table or a notebook. It never starts a daemon."""

from __future__ import annotations

import time
from types import SimpleNamespace

from orchctl import exit_codes
from orchctl.client import Client, pages
from orchctl.errors import UsageError
from orchctl.exporters import export
from orchctl.terminal import console
from orchctl.timeline.data import history_of


def run(args: SimpleNamespace) -> int:
    """Print the agents with their totals as JSON, or the agents alone as CSV."""
    if args.json == args.csv:
        raise UsageError("choose a format: --json or --csv" + (", not both" if args.csv else ""))
    with Client(starts=False) as client:
        history = history_of(client, args.id, time.clock_gettime(time.CLOCK_REALTIME))
        if args.id is None:
            answer = pages.status(client, {"all": True, "usage": False})
        elif args.id.startswith("session-"):
            answer = pages.session(client, args.id)
        else:
            answer = pages.run(client, args.id)
    rows = export.rows(history, {agent["id"]: agent for agent in answer["agents"]})
    if args.csv:
        console.put(export.csv_of(rows))
    else:
        console.say_json({"agents": rows, "totals": export.totals(history, rows)})
    return exit_codes.OK
