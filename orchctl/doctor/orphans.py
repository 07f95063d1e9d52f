"""Orphan processes: they have the variables of an agent of this home and belong to no attempt that runs."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from orchd.instance import database_file
from orchd.instance.environment import ENV_AGENT, ENV_ATTEMPT, ENV_HOME
from orchd.instance.home import Home
from orchd.instance.system import locks

_PROC = Path("/proc")


class Orphan(NamedTuple):
    """An orphan process, and the agent that its variables name."""

    pid: int
    started: str
    agent: str
    command: str
    is_known: bool = True  # the database has the attempt


def orphans(home: Home, living: set[str]) -> list[Orphan]:
    """List the processes of no agent in `living`, and of no known attempt whose exit record is locked."""
    left = [(orphan, attempt) for orphan, attempt in _marked(home) if orphan.agent not in living]
    attempts = {(orphan.agent, attempt) for orphan, attempt in left}
    numbers = {agent: _number(agent) for agent, _ in attempts}
    # as after an older copy of the database was restored: it does not have these attempts
    try:
        begun = database_file.attempts_begun(home.database, set(numbers.values()))
        unknown = {key for key in attempts if begun.get(numbers[key[0]], 0) < _number(key[1])}
    except sqlite3.Error:
        unknown = attempts  # after the right copy is restored they may be agents that run
    return [
        orphan._replace(is_known=(orphan.agent, attempt) not in unknown)
        for orphan, attempt in left
        if (orphan.agent, attempt) in unknown or not locks.is_locked(home.agents / f"{orphan.agent}.{attempt}.exit")
    ]


def marked(home: Home) -> list[Orphan]:
    """List all processes that have the variables of an agent of this home."""
    return [orphan for orphan, _ in _marked(home)]


def _number(text: str) -> int:
    """Return the number of an id or of an attempt; 0 for a text without one."""
    digits = text.rpartition("-")[2]
    return int(digits) if re.fullmatch("[0-9]{1,18}", digits) else 0


def end(orphan: Orphan) -> bool:
    """Kill exactly this process; False if it has ended, or another process has its pid."""
    try:
        descriptor = os.pidfd_open(orphan.pid)
    except ProcessLookupError:
        return False
    try:
        if _started(orphan.pid) != orphan.started:
            return False
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
    except ProcessLookupError:
        return False
    finally:
        os.close(descriptor)
    return True


def _marked(home: Home) -> Iterator[tuple[Orphan, str]]:
    """List the processes with the variables of an agent of this home, and their attempts."""
    for entry in _PROC.iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with suppress(OSError):
            marks = dict(pair.partition("=")[::2] for pair in os.fsdecode((entry / "environ").read_bytes()).split("\0"))
            command = os.fsdecode((entry / "cmdline").read_bytes()).replace("\0", " ").strip()
            started = _started(int(entry.name))
            if marks.get(ENV_HOME) == str(home.directory) and marks.get(ENV_AGENT) and command and started:
                yield Orphan(int(entry.name), started, marks[ENV_AGENT], command), marks.get(ENV_ATTEMPT, "")


def _started(pid: int) -> str | None:
    """Return the start of a process in ticks since boot; the name in brackets before it may hold anything (proc(5))."""
    try:
        stat = (_PROC / str(pid) / "stat").read_bytes()
    except OSError:
        return None
    return stat[stat.rindex(b")") + 2 :].split()[19].decode()
