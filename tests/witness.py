"""A witness: counts living and working agents from /proc alone, and imports nothing from the daemon.

An attempt lives while any process carries its marks (ORCHD_HOME, ORCHD_AGENT, ORCHD_ATTEMPT). Where there are no
cgroups its supervising shell carries them too, but for one that is all there is of its attempt and whose daemon is
dead, which is not counted: it stands behind a gate that nobody will open, or writes down an end, and no work is done
there. Behind the gate of a daemon that lives it does count, for its slot is taken. With cgroups a shell serves one
attempt after another and shows nobody's marks: what it serves is counted as soon as it is a program.

An attempt works while it lives and no `orchctl wait` runs in it. That is lenient for the moment in which the client
starts and that in which it ends; who leaves agents nothing to wait for is counted exactly.

One look through /proc is not one instant: of two agents that it shows the first may have ended before the second
began. So two looks are taken, and only what both of them show - the same pid with the same start time - is counted:
that lived all the while in between, and so together.
"""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

Attempt = tuple[str, str]

# A client takes longer than this to come up: in a window that is shorter none has come and gone between two looks.
WINDOW_SECONDS = 0.05
PAUSE_SECONDS = 0.002


class Process(NamedTuple):
    """One process that carries marks; the same pid and the same start make it the same process."""

    pid: int
    started: str


@dataclass
class Seen:
    """The state of one attempt in one look."""

    lineage: str = ""
    processes: set[Process] = field(default_factory=set)
    waits: bool = False


@dataclass
class Look:
    """One pass through /proc, and the largest limit that was allowed since it began."""

    began: float
    attempts: dict[Attempt, Seen]
    limit: int
    resident: int


def read(path: str) -> bytes:
    """A file of /proc; nothing when the process has gone."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


def start_of(pid: int) -> str:
    """When a process started, in the kernel's words; empty when it has ended."""
    fields = read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
    return "" if not fields or fields[0] in b"ZX" else fields[19].decode()


def parent_of(pid: int) -> int:
    """The parent of a process; 0 when it has gone."""
    fields = read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
    return int(fields[1]) if fields else 0


def is_wait(words: list[bytes]) -> bool:
    """Whether a command line is that of a client which waits."""
    names = [word.rpartition(b"/")[2] for word in words[:3]]
    return b"orchctl" in names and b"wait" in words[names.index(b"orchctl") + 1 :][:1]


class Witness:
    """Looks again and again in a thread of its own until it is closed."""

    def __init__(self, home: Path, *, limit: int, resident: int) -> None:
        self._home = str(home).encode()
        self._lock = threading.Lock()
        self._limit, self._resident = limit, resident
        self._highest = limit, resident
        self._excused: list[str] = []
        self._closing = threading.Event()
        self._counted = threading.Condition(self._lock)
        self.windows = 0
        self.peak_working = self.peak_living = 0
        self.violations: list[str] = []
        self._thread = threading.Thread(target=self._watch, name="witness")
        self._thread.start()

    def allow(self, *, limit: int, resident: int | None = None) -> None:
        """From now on this is the bound: said before it is raised, and after it was lowered."""
        with self._lock:
            self._limit, self._resident = limit, self._resident if resident is None else resident
            self._highest = max(self._highest[0], self._limit), max(self._highest[1], self._resident)

    def excuse(self, lineage: str) -> None:
        """These and what is below them are being ended: who is ended while it waits may overdraw the limit."""
        with self._lock:
            self._excused.append(lineage)

    def next_window(self, timeout: float = 30.0) -> None:
        """Return when another window has been counted that began after this call."""
        with self._counted:
            target = self.windows + 2
            assert self._counted.wait_for(lambda: self.windows >= target, timeout), "the witness has fallen asleep"

    def close(self) -> None:
        """Look no more."""
        self._closing.set()
        self._thread.join()

    def _watch(self) -> None:
        before = self._look()
        while not self._closing.wait(PAUSE_SECONDS):
            after = self._look()
            with self._lock:
                before.limit = max(before.limit, after.limit)
                before.resident = max(before.resident, after.resident)
                self._judge(before, after)
                self._counted.notify_all()
            before = after

    def _look(self) -> Look:
        with self._lock:
            limit, resident = self._highest
            self._highest = self._limit, self._resident
        look = Look(time.monotonic(), {}, limit, resident)
        shells: dict[Attempt, int] = {}
        for name in os.listdir("/proc"):
            if name.isdigit():
                self._add(look.attempts, shells, int(name))
        for attempt, pid in shells.items():
            if len(look.attempts[attempt].processes) == 1 and self._home not in self._command(parent_of(pid)):
                del look.attempts[attempt]
        return look

    def _add(self, attempts: dict[Attempt, Seen], shells: dict[Attempt, int], pid: int) -> None:
        environment = read(f"/proc/{pid}/environ")
        if b"ORCHD_AGENT=" not in environment:
            return
        marks = dict(pair.partition(b"=")[::2] for pair in environment.split(b"\0"))
        if marks.get(b"ORCHD_HOME") != self._home or not (started := start_of(pid)):
            return
        attempt = (marks[b"ORCHD_AGENT"].decode(), marks.get(b"ORCHD_ATTEMPT", b"").decode())
        record = attempts.setdefault(attempt, Seen(marks.get(b"LINEAGE", b"").decode()))
        record.processes.add(Process(pid, started))
        words = self._command(pid)
        record.waits = record.waits or is_wait(words)
        if f"orchd-{attempt[0]}.{attempt[1]}".encode() in words[:4]:
            shells[attempt] = pid

    @staticmethod
    def _command(pid: int) -> list[bytes]:
        return read(f"/proc/{pid}/cmdline").split(b"\0")

    def _judge(self, before: Look, after: Look) -> None:
        """Count what lived through the window between two looks."""
        self.windows += 1
        both = {key: (record, after.attempts[key]) for key, record in before.attempts.items() if key in after.attempts}
        living = {key: pair for key, pair in both.items() if pair[0].processes & pair[1].processes}
        self._count("live", list(living), before.resident)
        self.peak_living = max(self.peak_living, len(living))
        if after.began - before.began > WINDOW_SECONDS:
            return
        working = [
            key for key, pair in living.items() if not (pair[0].waits or pair[1].waits or self._is_excused(pair[1]))
        ]
        self._count("work", working, before.limit)
        self.peak_working = max(self.peak_working, len(working))

    def _is_excused(self, record: Seen) -> bool:
        return any(f"{record.lineage}/".startswith(f"{lineage}/") for lineage in self._excused)

    def _count(self, what: str, attempts: list[Attempt], bound: int) -> None:
        if len(attempts) > bound:
            self.violations.append(f"{len(attempts)} {what} where {bound} may: {sorted(attempts)}")
