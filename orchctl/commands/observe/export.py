"""`orchctl export`: what each agent took, as data for a table or a notebook. It never starts a daemon."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

from orchctl import exit_codes
from orchctl.client import Client, pages
from orchctl.errors import UsageError
from orchctl.exporters import export
from orchctl.terminal import console
from orchctl.timeline.data import told


def run(args: SimpleNamespace) -> int:
    """Print the agents with their totals as JSON, or the agents alone as CSV."""
    if args.json == args.csv:
        raise UsageError("say in which form, --json or --csv" + (", not both" if args.csv else ""))
    with Client(starts=False) as client:
        history = told(client, args.id, time.clock_gettime(time.CLOCK_REALTIME))
        known = {agent["id"]: agent for agent in _agents(client, args.id)}
    rows = export.rows(history, known)
    if args.csv:
        console.put(export.csv_of(rows))
    else:
        console.say_json({"agents": rows, "totals": export.totals(history, rows)})
    return exit_codes.OK


def _agents(client: Client, one: str | None) -> list[dict[str, Any]]:
    if one is None:
        answer = pages.status(client, {"all": True, "usage": False})
    elif one.startswith("session-"):
        answer = pages.session(client, one)
    else:
        answer = pages.run(client, one)
    found: list[dict[str, Any]] = answer["agents"]
    return found
