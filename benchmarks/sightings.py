"""Who lives and who works, counted from outside: the command lines in /proc, and nothing that a program says of itself.

An agent lives while a process carries its id on its command line, and works while a `sleep` of the known length runs.
One look through /proc is not one instant, so what is counted is what two looks, one after the other, both show.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from typing import NamedTuple


class Look(NamedTuple):
    """The ids of living agents and the pids of working processes."""

    alive: frozenset[str]
    working: frozenset[int]


def command_lines() -> Iterable[tuple[int, list[str]]]:
    """Return the command line of every process that has one."""
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/cmdline", "rb") as file:
                words = file.read().decode(errors="replace").split("\0")[:-1]
        except OSError:
            continue
        if words:
            yield int(name), words


def look(lines: Iterable[tuple[int, list[str]]], script: str, seconds: str) -> Look:
    """An agent is `sh SCRIPT HOW ID SECONDS`; one that is no process has one, `sleep 1000.ID SECONDS`."""
    alive, working = set(), set()
    for pid, words in lines:
        if words[0] == "sleep" and words[1:] == [seconds]:
            working.add(pid)
        elif words[0] == "sleep" and words[2:] == [seconds] and words[1].startswith("1000."):
            alive.add(words[1].removeprefix("1000."))
        elif script in words[:2] and words[-1] == seconds:
            alive.add(words[-2])
    return Look(frozenset(alive), frozenset(working))


class Watch:
    """The maxima so far, and the time of the last change."""

    def __init__(self, script: str, seconds: str) -> None:
        self._script, self._seconds = script, seconds
        self._last = Look(frozenset(), frozenset())
        self.most_alive = self.most_working = 0
        self.moved_at = time.monotonic()

    def look(self) -> None:
        """Take one more look."""
        self.count(look(command_lines(), self._script, self._seconds))

    def count(self, now: Look) -> None:
        """Count what both this look and the last look show."""
        self.most_alive = max(self.most_alive, len(now.alive & self._last.alive))
        self.most_working = max(self.most_working, len(now.working & self._last.working))
        if now != self._last or now.working:
            self.moved_at = time.monotonic()
        self._last = now
