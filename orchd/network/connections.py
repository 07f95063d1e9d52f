"""Connections of local clients: their buffers, and limits on their number for each caller."""

from __future__ import annotations

import socket
from collections import Counter, deque
from collections.abc import Iterator

from orchd.network.peers import Credentials, Identity, Outside
from orchd.network.zmtp import ZmtpSession

_BLOCK = 1 << 18  # bytes that are read of one connection in a turn
_REQUESTS_KEPT = 64  # of one client, read ahead of their turn; the rest waits in its own memory
_REPLIES_WAITING = 64  # replies that a client has not read; until it reads, it is not heard
_REPLIES_KEPT = 1200  # beyond this many it is cut off: a client may be blocked in a thousand waits
_AT_LEAST = 4  # connections of any agent


class Gone(Exception):
    """The connection has ended."""


class LocalConnection:
    """The connection of one local client."""

    def __init__(self, number: int, sock: socket.socket, peer: Credentials, identity: Identity, session: ZmtpSession):
        self.number = number
        self.socket = sock
        self.peer = peer
        self.identity = identity
        self.session = session
        self.messages: deque[tuple[bytes, ...]] = deque()
        self.subscriptions: set[bytes] = set()
        self.interest = 0  # what the epoll looks for
        self.is_over = False  # all that the client sent was received, and some of it was not taken yet
        self._is_deaf = False  # the client receives nothing any more; what it sent before is still to be received
        self._out: deque[memoryview] = deque()

    def receive(self) -> None:
        """Read pending messages, a bounded amount. Raises Gone, and ProtocolError for a malformed message."""
        try:
            data = self.socket.recv(_BLOCK)
        except BlockingIOError:
            return
        except OSError:
            raise Gone from None
        if not data:
            raise Gone
        self.messages.extend(self.session.feed(data))
        if self.session.answers:
            answers, self.session.answers = self.session.answers, b""
            self.send(answers)

    def send(self, data: bytes) -> None:
        """Send now or when the client reads; do nothing when it has left. Raises Gone when too much is buffered."""
        if self._is_deaf:
            return
        self._out.append(memoryview(data))
        if len(self._out) > _REPLIES_KEPT:
            raise Gone
        if len(self._out) == 1:
            self.flush()

    def flush(self) -> None:
        """Send as much of the buffer as the client takes now."""
        try:
            while self._out:
                sent = self.socket.send(self._out[0])
                if sent < len(self._out[0]):
                    self._out[0] = self._out[0][sent:]
                else:
                    self._out.popleft()
        except BlockingIOError:
            return
        except OSError:
            self._is_deaf = True
            self._out.clear()

    @property
    def has_to_send(self) -> bool:
        """Return whether data is buffered for the client."""
        return bool(self._out)

    @property
    def reads(self) -> bool:
        """Return whether the client reads its replies; while it does not, its messages are not read."""
        return len(self._out) < _REPLIES_WAITING

    @property
    def is_heard(self) -> bool:
        """Return whether more is received from the client."""
        return self.reads and len(self.messages) < _REQUESTS_KEPT

    def leave(self) -> None:
        """Stop sending to a client that has left; what it sent before is still received."""
        self.is_over = self._is_deaf = True
        self._out.clear()

    def close(self) -> None:
        """Close the connection."""
        self.socket.close()
        self.peer.close()


class Table:
    """All connections, at most `most`. No agent uses up the share of another or of the owner."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._by_number: dict[int, LocalConnection] = {}
        self._shares: Counter[object] = Counter()

    def __iter__(self) -> Iterator[LocalConnection]:
        return iter(list(self._by_number.values()))

    def get(self, number: int) -> LocalConnection | None:
        """Return the connection with this number; None when it is closed."""
        return self._by_number.get(number)

    def add(self, connection: LocalConnection) -> None:
        """Add a connection."""
        self._by_number[connection.number] = connection
        self._shares[_share(connection.identity)] += 1

    def remove(self, connection: LocalConnection) -> None:
        """Remove a connection."""
        if self._by_number.pop(connection.number, None) is not None:
            self._shares[_share(connection.identity)] -= 1

    def has_room(self, identity: Identity) -> bool:
        """Return whether another connection of this caller may be accepted."""
        return len(self._by_number) < self.most and self._has_share(identity)

    def _has_share(self, identity: Identity) -> bool:
        share, owners = _share(identity), self._shares[Outside.OWNER]
        if share is Outside.OWNER:
            return owners < self.most * 3 // 4
        others = len(self._by_number) - owners
        return others < self.most * 3 // 4 and self._shares[share] < max(_AT_LEAST, self.most // 8)

    def in_the_way(self, identity: Identity) -> LocalConnection | None:
        """Return the oldest connection without a finished handshake whose end would make room for this caller."""
        if self.has_room(identity):
            return None
        unready = (connection for connection in self._by_number.values() if not connection.session.is_ready)
        if self._has_share(identity):
            return next(unready, None)
        own = _share(identity)
        return next((connection for connection in unready if _share(connection.identity) == own), None)


def _share(identity: Identity) -> object:
    """Return the share that a connection counts in: of an attempt, of the owner, or of all refused callers."""
    return identity if identity is Outside.OWNER or not isinstance(identity, Outside) else Outside.NOBODY
