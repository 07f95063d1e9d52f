"""Processes that carry the marks of this instance and belong to no attempt that lives."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from orchd.wire import ENV_AGENT, ENV_ATTEMPT, ENV_HOME, Home, locks

_PROC = Path("/proc")


class Stray(NamedTuple):
    """One process, and the attempt that it says it is of."""

    pid: int
    started: str
    agent: str
    command: str


def strays(home: Home, living: set[str]) -> list[Stray]:
    """Those of no attempt whose record is locked, and of no agent in `living`: a daemon is still at ending it."""
    left = ((found, home.agents / f"{attempt}.exit") for found, attempt in _marked(home))
    return [found for found, record in left if found.agent not in living and not locks.is_locked(record)]


def end(stray: Stray) -> bool:
    """Kill exactly this process; False when it is gone, or its pid has passed on."""
    try:
        descriptor = os.pidfd_open(stray.pid)
    except ProcessLookupError:
        return False
    try:
        if _started(stray.pid) != stray.started:
            return False
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
    except ProcessLookupError:
        return False
    finally:
        os.close(descriptor)
    return True


def _marked(home: Home) -> Iterator[tuple[Stray, str]]:
    for entry in _PROC.iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with suppress(OSError):
            marks = dict(pair.partition("=")[::2] for pair in os.fsdecode((entry / "environ").read_bytes()).split("\0"))
            command = os.fsdecode((entry / "cmdline").read_bytes()).replace("\0", " ").strip()
            started = _started(int(entry.name))
            if marks.get(ENV_HOME) == str(home.directory) and marks.get(ENV_AGENT) and command and started:
                attempt = f"{marks[ENV_AGENT]}.{marks.get(ENV_ATTEMPT)}"
                yield Stray(int(entry.name), started, marks[ENV_AGENT], command), attempt


def _started(pid: int) -> str | None:
    """When it began, in ticks since the boot: the name in brackets before it may hold anything (proc(5))."""
    try:
        stat = (_PROC / str(pid) / "stat").read_bytes()
    except OSError:
        return None
    return stat[stat.rindex(b")") + 2 :].split()[19].decode()
