"""Limits TCP connections to the remote port, in all and without a request.

libzmq accepts them by itself and reports descriptors. A descriptor may be another file's when the report arrives, so
a connection is known by its cookie, which the kernel gives to no other socket (SO_COOKIE in socket(7)).
"""

from __future__ import annotations

import os
import socket
from collections import Counter
from contextlib import suppress
from typing import NamedTuple

_SO_COOKIE = 57  # Python has no name for it
_COOKIE = 8  # bytes


class _Guest(NamedTuple):
    cookie: bytes
    address: str


class RemoteConnections:
    """The connections by their descriptors; `most` in all, at most `most_silent` without a request."""

    def __init__(self, most: int, most_silent: int) -> None:
        self._most = most
        self._most_silent = most_silent
        self._silent: dict[int, _Guest] = {}
        self._known: dict[int, _Guest] = {}

    def accepted(self, descriptor: int) -> None:
        """Add a connection; end another when the limit is exceeded."""
        self.left(descriptor)
        try:
            with _opened(descriptor) as connection:
                self._silent[descriptor] = _Guest(_cookie(connection), str(connection.getpeername()[0]))
        except OSError:  # it left meanwhile
            return
        if len(self._silent) > self._most_silent or len(self._silent) + len(self._known) > self._most:
            # the oldest silent one of the address that has the most: who floods makes room for others
            counts = Counter(guest.address for guest in self._silent.values())
            address = counts.most_common(1)[0][0]
            oldest = next(number for number, guest in self._silent.items() if guest.address == address)
            guest = self._silent.pop(oldest)
            with suppress(OSError), _opened(oldest) as connection:
                if _cookie(connection) == guest.cookie:
                    connection.shutdown(socket.SHUT_RDWR)

    def mark_active(self, descriptor: int) -> None:
        """Record that a connection has sent a request, and so has a valid key."""
        if (guest := self._silent.pop(descriptor, None)) is not None:
            self._known[descriptor] = guest

    def left(self, descriptor: int) -> None:
        """Remove a connection that has ended."""
        self._silent.pop(descriptor, None)
        self._known.pop(descriptor, None)

    def clear(self) -> None:
        """Remove all connections."""
        self._silent.clear()
        self._known.clear()


def _opened(descriptor: int) -> socket.socket:
    """Return a socket of our own for the same connection. Raises OSError when the descriptor is not a socket."""
    copy = os.dup(descriptor)
    try:
        return socket.socket(fileno=copy)
    except OSError:
        os.close(copy)
        raise


def _cookie(connection: socket.socket) -> bytes:
    return connection.getsockopt(socket.SOL_SOCKET, _SO_COOKIE, _COOKIE)
