"""The two sockets of this machine: requests in and replies out, and hints to subscribers.

The process behind each connection is identified once, at the accept. Clients see a ROUTER and a PUB of ZeroMQ.
"""

from __future__ import annotations

import errno
import itertools
import logging
import os
import select
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from orchd.instance.home import Home
from orchd.network.connections import Gone, LocalConnection, Table
from orchd.network.peers import Credentials, Identity, Outside, Peer, credentials_of
from orchd.network.zmtp import ProtocolError, ZmtpSession, encode, refusal
from orchd.processes.linux.descriptors import check_for_client, most_connections
from orchd.protocol.frames import MAX_FRAME

log = logging.getLogger("orchd")

_BACKLOG = 1024  # clients that connect in the same moment
_ACCEPTED_A_TURN = 64
_FRAMES_A_TURN = 256  # so that a flood of requests does not keep processes from being seen to
_SHORTAGE = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS})
_SUBSCRIPTIONS = 64  # of one client
_LINGER = 200  # milliseconds in which the last replies may leave
_TRY_LATER = b"300"  # the status of a temporary error in a failed handshake
_ROUTE = 8  # bytes


class _Kind(NamedTuple):
    """Kind of a socket: requests or events."""

    name: bytes
    peers: frozenset[bytes]
    largest: int


# twice the limit gets through, so that a client that sent a little too much gets an answer
_ROUTER = _Kind(b"ROUTER", frozenset({b"DEALER", b"REQ", b"ROUTER"}), 2 * MAX_FRAME)
_PUB = _Kind(b"PUB", frozenset({b"SUB", b"XSUB"}), 256)


class LocalSockets:
    """The two sockets of this machine and all their connections."""

    def __init__(self, home: Home, identify: Callable[[Credentials], Identity]) -> None:
        self._home = home
        self._identify = identify
        self._epoll = select.epoll()
        self._again = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._epoll.register(self._again, select.EPOLLIN)
        self._spare = _spare()
        self._listeners: dict[int, tuple[socket.socket, _Kind]] = {}
        self._bound: dict[Path, tuple[int, os.stat_result]] = {}  # by path: its listener, and the file that is ours
        self._descriptors: dict[int, LocalConnection] = {}
        self._subscribers: dict[int, LocalConnection] = {}
        self._heard: dict[int, LocalConnection] = {}  # connections with messages that were not taken yet
        self._table = Table(most_connections())
        self._numbers = itertools.count(1)
        self._is_full = False
        self._ended: list[bytes] = []  # routes of connections that ended since the last call of `ended`

    def fileno(self) -> int:
        """Return the descriptor that is readable when data was received or buffered data can be sent."""
        return self._epoll.fileno()

    def bind(self) -> None:
        """Bind both sockets, or the ones that were removed or replaced. Raises OSError.

        The daemon that has the home's lock owns its sockets, so a stale one may be replaced. Connections stay.
        """
        for kind, path in ((_PUB, self._home.events), (_ROUTER, self._home.socket)):
            if self._is_in_place(path):
                continue
            path.unlink(missing_ok=True)
            listener = socket.socket(socket.AF_UNIX)
            listener.settimeout(0)
            listener.bind(os.fsencode(path))
            path.chmod(0o600)
            listener.listen(_BACKLOG)
            if path in self._bound:
                log.warning("%s was removed; creating it again", path)
                old, _ = self._listeners.pop(self._bound[path][0])
                self._epoll.unregister(old)
                old.close()
            self._bound[path] = listener.fileno(), path.stat()
            self._listeners[listener.fileno()] = listener, kind
            self._epoll.register(listener, select.EPOLLIN)

    def _is_in_place(self, path: Path) -> bool:
        try:
            return path in self._bound and os.path.samestat(self._bound[path][1], path.stat())
        except OSError:
            return False

    def requests(self) -> Iterator[tuple[Peer, bytes]]:
        """Return received requests, a bounded number at a time; messages of an unknown form are ignored."""
        for descriptor, events in self._epoll.poll(0):
            if descriptor in self._listeners:
                self._accept(*self._listeners[descriptor])
            elif (connection := self._descriptors.get(descriptor)) is not None:
                self._serve(connection, events)
        with suppress(BlockingIOError):
            os.eventfd_read(self._again)
        yield from itertools.islice(self._received(), _FRAMES_A_TURN)
        if self._heard:
            os.eventfd_write(self._again, 1)

    def _received(self) -> Iterator[tuple[Peer, bytes]]:
        """Yield the messages that were read with their senders, in turn one message of each client."""
        while self._heard:
            for connection in list(self._heard.values()):
                if not (connection.messages and connection.reads):
                    self._heard.pop(connection.number, None)
                    if connection.is_over:
                        self._close(connection)
                    else:
                        self._look_again(connection)
                    continue
                message = connection.messages.popleft()  # DEALER sends [body], REQ [empty, body]
                if len(message) > 2 or (len(message) == 2 and message[0]):  # noqa: PLR2004
                    continue
                peer, identity = connection.peer, connection.identity
                # a connection whose process has ended has no rights, whichever process holds it now
                if (identity is Outside.OWNER or not isinstance(identity, Outside)) and not peer.is_alive():
                    identity = Outside.ENDED
                route = (connection.number.to_bytes(_ROUTE), *message[:-1])
                yield Peer(route, peer.uid, peer.pid, None, identity), message[-1]

    def reply(self, route: tuple[bytes, ...], frame: bytes) -> None:
        """Send a reply; a client that is gone misses it. No other ever has its route."""
        connection = self._table.get(int.from_bytes(route[0]))
        if connection is not None:
            self._send(connection, encode([*route[1:], frame]))

    def ended(self) -> list[bytes]:
        """Return the first parts of routes of connections that have ended since the last call."""
        ended, self._ended = self._ended, []
        return ended

    def publish(self, frame: bytes) -> None:
        """Send a hint to all subscribers that read; each hint covers all events before it."""
        message = encode([frame])
        for connection in list(self._subscribers.values()):
            if connection.reads and any(frame.startswith(prefix) for prefix in connection.subscriptions):
                self._send(connection, message)

    def _send(self, connection: LocalConnection, data: bytes) -> None:
        try:
            connection.send(data)
        except Gone:
            self._close(connection)
        else:
            self._look_again(connection)

    def _accept(self, listener: socket.socket, kind: _Kind) -> None:
        """Accept the clients that wait to connect, a bounded number."""
        for _ in range(_ACCEPTED_A_TURN):
            try:
                accepted = listener.accept()[0]
            except OSError as error:
                if error.errno in _SHORTAGE:  # refuse it by the descriptor kept for this: else the loop would not sleep
                    if self._spare is not None:
                        os.close(self._spare)
                    with suppress(OSError):
                        self._refuse(listener.accept()[0], "no file descriptor is free")
                    self._spare = _spare()
                if error.errno == errno.ECONNABORTED:
                    continue
                return
            self._admit(accepted, kind)

    def _admit(self, accepted: socket.socket, kind: _Kind) -> None:
        """Accept a connection, or refuse it for now."""
        accepted.settimeout(0)
        try:
            check_for_client()
            peer = credentials_of(accepted)
        except OSError as error:
            self._refuse(accepted, f"no file descriptor is free ({error.strerror})")
            return
        try:
            identity = self._identify(peer)
        except OSError as error:
            peer.close()
            self._refuse(accepted, f"no file descriptor is free to identify the client ({error.strerror})")
            return
        if (silent := self._table.in_the_way(identity)) is not None:
            self._close(silent)
        if not self._table.has_room(identity):
            peer.close()
            self._refuse(
                accepted, f"process {peer.pid} and its group already use their share of {self._table.most} connections"
            )
            return
        self._is_full = False
        connection = LocalConnection(next(self._numbers), accepted, peer, identity, ZmtpSession(*kind))
        self._table.add(connection)
        self._descriptors[connection.socket.fileno()] = connection
        connection.interest = select.EPOLLIN
        self._epoll.register(connection.socket, select.EPOLLIN)
        if kind is _PUB:
            self._subscribers[connection.number] = connection
        self._send(connection, connection.session.opening)

    def _refuse(self, accepted: socket.socket, why: str) -> None:
        with suppress(OSError):
            accepted.send(refusal(_TRY_LATER))
        accepted.close()
        if not self._is_full:  # once, until there is room again
            self._is_full = True
            log.warning("refused a connection: %s; close some, or raise the limit of open files (ulimit -n)", why)

    def _serve(self, connection: LocalConnection, events: int) -> None:
        try:
            if events & select.EPOLLOUT:
                connection.flush()
            if events & ~select.EPOLLOUT:
                connection.receive()
        except ProtocolError:
            self._close(connection)
            return
        except Gone:
            if not connection.messages:
                self._close(connection)
                return
            connection.leave()
        if connection.number in self._subscribers:
            self._subscribe(connection)
        elif connection.messages and connection.reads:
            self._heard[connection.number] = connection
        self._look_again(connection)

    def _subscribe(self, connection: LocalConnection) -> None:
        while connection.messages:
            body = connection.messages.popleft()[-1]
            if body[:1] == b"\x01":
                connection.subscriptions.add(body[1:])
            elif body[:1] == b"\0":
                connection.subscriptions.discard(body[1:])
        if len(connection.subscriptions) > _SUBSCRIPTIONS:
            self._close(connection)

    def _look_again(self, connection: LocalConnection) -> None:
        """Set the events for which this connection is polled."""
        if connection.socket.fileno() < 0:
            return
        wanted = select.EPOLLIN * connection.is_heard | select.EPOLLOUT * connection.has_to_send
        if wanted != connection.interest:
            connection.interest = wanted
            self._epoll.modify(connection.socket, wanted)

    def _close(self, connection: LocalConnection) -> None:
        if connection.socket.fileno() < 0:
            return
        self._table.remove(connection)
        self._ended.append(connection.number.to_bytes(_ROUTE))
        self._subscribers.pop(connection.number, None)
        self._heard.pop(connection.number, None)
        connection.messages.clear()
        del self._descriptors[connection.socket.fileno()]
        self._epoll.unregister(connection.socket)
        connection.close()

    def close(self) -> None:
        """Close both sockets; unsent replies get a moment to be sent."""
        for path in filter(self._is_in_place, self._bound):
            path.unlink(missing_ok=True)
        for listener, _ in self._listeners.values():
            listener.close()
        self._flush()
        for connection in self._table:
            self._close(connection)
        self._epoll.close()
        for descriptor in (self._again, self._spare):
            if descriptor is not None:
                os.close(descriptor)

    def _flush(self) -> None:
        waiting = {connection.socket.fileno(): connection for connection in self._table if connection.has_to_send}
        poll = select.poll()
        for descriptor in waiting:
            poll.register(descriptor, select.POLLOUT)
        while ready := poll.poll(_LINGER):
            for descriptor, _ in ready:
                waiting[descriptor].flush()
                if not waiting[descriptor].has_to_send:
                    poll.unregister(descriptor)


def _spare() -> int | None:
    with suppress(OSError):
        return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    return None
