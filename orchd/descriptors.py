"""The daemon's own limit of open files: raised as far as it goes, and not passed on to agents."""

from __future__ import annotations

import resource
from contextlib import suppress

_MOST, _LEAST = 4096, 8
_OWN = 32  # descriptors that the daemon has open whatever happens

_before: list[tuple[int, int]] = []  # the limits that this process was started with


def raise_own() -> None:
    """Let this process open as many files as it may."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    _before[:] = [before]
    if before[0] < before[1]:
        resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))


def restore_for(pid: int) -> None:
    """Give a child that has not forked yet the limits that this process was started with."""
    for before in _before:
        with suppress(ProcessLookupError):  # it was killed: its end is news of its own
            resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


def most_connections() -> int:
    """How many clients of this machine may be connected: each takes two descriptors, and half are for agents."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if files == resource.RLIM_INFINITY:
        return _MOST
    return min(_MOST, max(_LEAST, (files - _OWN) // 4))
