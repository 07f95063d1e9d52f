"""The daemon's limit of open files: raised to the hard limit, and not passed on to agents."""

from __future__ import annotations

import errno
import os
import resource
from contextlib import suppress

from orchd.errors import OrchdError

_MOST, _LEAST = 4096, 8
_OPEN = "/proc/self/fd"
_RESERVE = 12  # descriptors
_FOR_CLIENTS = 16  # eight connections
_FOR_ONE = 6  # for the connection of a client that waits, and what an attempt keeps open
_OWN = 32  # descriptors that the daemon has open whatever happens

_before: list[tuple[int, int]] = []  # the limits that this process was started with


def raise_own() -> tuple[int, int]:
    """Raise our soft limit to the hard limit. Returns the soft and the hard limit that we were started with."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    _before[:] = [before]
    if before[0] < before[1]:
        resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    return before


def restore_for(pid: int) -> None:
    """Restore, in a child that has not forked yet, the limits that this process was started with."""
    for before in _before:
        with suppress(ProcessLookupError):  # it was killed: its end is news of its own
            resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


def check_for_client() -> None:
    """Raise OSError (EMFILE) when only the reserve for exits of agents is left.

    To be called before a connection or a wait takes descriptors.
    """
    _check(_RESERVE)


def check_for_attempt() -> None:
    """Raise OSError (EMFILE) when only the reserves for exits and for clients are left."""
    _check(_RESERVE + _FOR_CLIENTS)


def check_for_daemon() -> None:
    """Raise OrchdError when no agent could ever start beside what is open now."""
    needed = _open_files() + _RESERVE + _FOR_CLIENTS + _FOR_ONE
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if needed > most != resource.RLIM_INFINITY:
        raise OrchdError(
            f"the hard limit of open files is {most}, but agents need at least {needed}: raise it with "
            "`ulimit -Hn` in the shell that starts orchd (as root), or LimitNOFILE= in its unit"
        )


def _check(reserve: int) -> None:
    if _open_files() + reserve > resource.getrlimit(resource.RLIMIT_NOFILE)[0] != resource.RLIM_INFINITY:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


def _open_files() -> int:
    return os.stat(_OPEN).st_size or len(os.listdir(_OPEN))  # noqa: PTH116, PTH208 - quicker; no size before Linux 6.2


def most_connections() -> int:
    """Return how many local clients may be connected: each takes two descriptors, and half are for agents."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if files == resource.RLIM_INFINITY:
        return _MOST
    return min(_MOST, max(_LEAST, (files - _OWN) // 4))
