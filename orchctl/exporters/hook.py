"""Hooks: a command that runs for each agent and run that ends, and for each stall that begins.

The command reads the event as JSON from its standard input. The position in the events is kept in a file and advances
when the command has ended: no event is missed, and none is delivered twice except the event that was being delivered
when this process was killed.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from orchctl.client import Client
from orchctl.errors import RefusedError
from orchctl.history import events
from orchctl.history.lifecycles import Event
from orchctl.terminal import console
from orchd.instance.system import atomic_file, open_file
from orchd.protocol import statuses
from orchd.protocol.errors import WireError

_LONGEST = 19  # digits of a position: no number in the database has more
_STALL = "stall-began"
_REPORTED = frozenset({*statuses.ENDS, "run-ended", _STALL})


class Position:
    """The number of the last event that was delivered, in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self, client: Client) -> int:
        """Return the position, or that of the newest event without a file. Raises RefusedError if it is invalid."""
        known = client.call("events", {"count": 1})
        last = int(known["last"])
        try:
            words = open_file.read_file(self._path).decode(errors="replace").strip()
        except FileNotFoundError:
            self.write(last)
            return last
        if not (words.isascii() and words.isdigit() and len(words) <= _LONGEST) or int(words) > last:
            raise RefusedError(
                f"the position file {self._path} contains {words[:40]!r}, which is not a position from 0 to {last}; "
                "give another file, or remove it to start with the next event",
                code="bad-position",
            )
        if int(words) < (pruned := known.get("pruned", 0)):
            console.warn(f"some of the events up to {pruned} were pruned before this hook received them")
        return int(words)

    def write(self, seq: int) -> None:
        """Write the position atomically."""
        atomic_file.write(self._path, f"{seq}\n".encode())


class Hook:
    """The command, and the number of the last event that was delivered to it."""

    def __init__(self, command: Sequence[str], position: Position, since: int) -> None:
        self._command = command
        self._position = position
        self._since = since

    def catch_up(self, client: Client) -> None:
        """Run the command for each reported event after the position."""
        for event in events.between(client, self._since):
            is_reported = event["event"] in _REPORTED
            if is_reported:
                env = {**os.environ, "ORCHD_EVENT_SEQ": str(event["seq"])}
                payload = json.dumps(_payload(client, event))
                done = subprocess.run(self._command, input=payload, text=True, env=env, check=False)
                if done.returncode:
                    how = f"exited with {done.returncode} for event {event['seq']}"
                    console.warn(f"hook-failed: {self._command[0]} {how}; continuing")
            self._since = event["seq"]
            if is_reported:
                self._position.write(event["seq"])
        self._position.write(self._since)


def _payload(client: Client, event: Event) -> dict[str, Any]:
    """Return the event with its agent or run in full, as they are now; a stall is about no single agent."""
    if event["event"] == _STALL:
        return {"event": event}
    try:
        if event["event"] == "run-ended":
            return {"event": event, "run": client.call("run-status", {"id": event["run"]})["run"]}
        (agent,) = client.call("status", {"ids": [event["agent"]], "usage": False})["agents"]
    except WireError as error:
        if error.code not in ("unknown-agent", "unknown-run", "pruned"):
            raise
        return {"event": event}
    return {"event": event, "agent": agent}
