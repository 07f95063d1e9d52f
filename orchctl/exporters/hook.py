"""A command for each agent and run that ends, and for each stall that begins, told of it on its standard input.

The position in the facts is kept in a file and moves on when the command has ended: nothing is missed, whoever dies,
and what was told is not told again, but for the one that was being told when this process was killed.
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
from orchctl.history.lifecycles import Fact
from orchctl.terminal import console
from orchd.instance.system import atomic_file, open_file
from orchd.protocol import statuses
from orchd.protocol.errors import WireError

_LONGEST = 19  # digits of a position: no number in the database has more
_STALL = "stall-began"
_REPORTED = frozenset({*statuses.ENDS, "run-ended", _STALL})


class Position:
    """The number of the last fact that was dealt with, in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self, client: Client) -> int:
        """Where to go on; now, when there is no file yet. Raises RefusedError for what is no position here."""
        known = client.call("events", {"count": 1})
        last = int(known["last"])
        try:
            words = open_file.read_file(self._path).decode(errors="replace").strip()
        except FileNotFoundError:
            self.write(last)
            return last
        if not (words.isascii() and words.isdigit() and len(words) <= _LONGEST) or int(words) > last:
            raise RefusedError(
                f"{self._path} says {words[:40]!r}, which is no position among the {last} events here; "
                "give another file, or remove it to begin now",
                code="bad-position",
            )
        if int(words) < (pruned := known.get("pruned", 0)):
            console.note(f"some of the events up to {pruned} were pruned before this hook was told of them")
        return int(words)

    def write(self, seq: int) -> None:
        """Whole or not at all."""
        atomic_file.write(self._path, f"{seq}\n".encode())


class Hook:
    """The command, and how far it was told."""

    def __init__(self, command: Sequence[str], position: Position, since: int) -> None:
        self._command = command
        self._position = position
        self._since = since

    def catch_up(self, client: Client) -> None:
        """Run the command for all events of these kinds that came after the position."""
        for fact in events.facts(client, self._since):
            is_reported = fact["event"] in _REPORTED
            if is_reported:
                self._tell(fact, _told(client, fact))
            self._since = fact["seq"]
            if is_reported:
                self._position.write(fact["seq"])
        self._position.write(self._since)

    def _tell(self, fact: Fact, told: dict[str, Any]) -> None:
        env = {**os.environ, "ORCHD_EVENT_SEQ": str(fact["seq"])}
        done = subprocess.run(self._command, input=json.dumps(told), text=True, env=env, check=False)
        if done.returncode:
            console.note(
                f"hook-failed: {self._command[0]} ended with {done.returncode} for event {fact['seq']}; going on"
            )


def _told(client: Client, fact: Fact) -> dict[str, Any]:
    """The fact with its agent or run in full, as they are now; a stall is about no single agent."""
    if fact["event"] == _STALL:
        return {"event": fact}
    try:
        if fact["event"] == "run-ended":
            return {"event": fact, "run": client.call("run-status", {"id": fact["run"]})["run"]}
        (agent,) = client.call("status", {"ids": [fact["agent"]], "usage": False})["agents"]
    except WireError as error:
        if error.code not in ("unknown-agent", "unknown-run", "pruned"):
            raise
        return {"event": fact}
    return {"event": fact, "agent": agent}
