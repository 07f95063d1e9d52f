"""Credentials of the process at the other end of a unix socket, and the sender of a request.

The kernel remembers which process connected. Its pid alone is not enough: when that process has ended, its pid may be
another's. So the process is held by a pidfd from the moment of the accept, and every look at the pid is followed by
the question whether that process still runs.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import struct
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from orchd.core.state.agents import AgentId
from orchd.network.roles import RemoteClient

_SO_PEERPIDFD = 77  # Linux 6.5; Python has no name for it
_UCRED = struct.Struct("iII")
_GONE = frozenset({errno.ESRCH, errno.EINVAL, errno.ENODATA})  # by version of the kernel

Key = tuple[AgentId, int]


class Outside(Enum):
    """Kinds of callers that are not agents."""

    OWNER = "owner"  # a person, or a program of theirs, outside every agent
    NOBODY = "nobody"  # below the daemon, and nothing proves of which agent
    MARKED = "marked"  # it, or a process above it, has the variables of an agent, and nothing proves that it is of it
    FORMER = "former"  # of an attempt that has ended
    ENDED = "ended"  # the process that connected has ended
    HIDDEN = "hidden"  # in a pid namespace that the daemon does not see
    STRANGER = "stranger"  # another user


Identity = Key | Outside
"""What is proven of a process: the attempt that it belongs to, or that it belongs to none."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """The connected process. `pidfd` is None when it had ended before the accept."""

    uid: int
    pid: int
    pidfd: int | None

    def is_alive(self) -> bool:
        """Return whether that process still runs, so that its pid is not another's."""
        if self.pidfd is None:
            return False
        poll = select.poll()
        poll.register(self.pidfd, select.POLLIN)
        return not poll.poll(0)

    def close(self) -> None:
        """Close the pidfd."""
        if self.pidfd is not None:
            os.close(self.pidfd)


def credentials_of(connection: socket.socket) -> Credentials:
    """Return the process that connected this unix socket. Raises OSError when no descriptor is free."""
    pid, uid, _ = _UCRED.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
    if pid <= 0:
        return Credentials(uid, pid, None)
    try:
        return Credentials(uid, pid, connection.getsockopt(socket.SOL_SOCKET, _SO_PEERPIDFD))
    except OSError as error:
        if error.errno in _GONE:
            return Credentials(uid, pid, None)
        if error.errno != errno.ENOPROTOOPT:
            raise
    try:  # before Linux 6.5: another process may have the pid already, if the first ended since it connected
        return Credentials(uid, pid, os.pidfd_open(pid))
    except ProcessLookupError:
        return Credentials(uid, pid, None)


class Peer(NamedTuple):
    """The sender of a request: the route of replies, and its identity by kernel credentials or by key."""

    route: tuple[bytes, ...]
    uid: int
    pid: int
    remote_client: RemoteClient | None = None
    identity: Identity = Outside.NOBODY
