"""The two sockets: frames in and out, each with the credentials that the kernel gives for its sender."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, cast

import zmq

from orchd.roles import Visitor
from orchd.wire import MAX_FRAME, Home

log = logging.getLogger("orchd")

_BACKLOG = 1024  # clients that connect in the same moment
_REPLIES_KEPT = 256  # for a client that does not read; what is beyond is dropped, for this client alone
_REQUESTS_KEPT = 64  # of one client, read ahead of their turn; the rest waits in its own memory
_FRAMES_A_TURN = 256  # so that a flood of requests does not keep processes from being seen to


class Peer(NamedTuple):
    """One connection: its routing id and what SO_PEERCRED said when it was made, or whose key it has shown to have."""

    route: tuple[bytes, ...]
    uid: int
    pid: int
    visitor: Visitor | None = None


class Ports:
    """ROUTER and PUB on the home's sockets."""

    def __init__(self, home: Home) -> None:
        self._context = zmq.Context()
        self.router = self._context.socket(zmq.ROUTER)
        self.router.setsockopt(zmq.LINGER, 200)
        self.router.setsockopt(zmq.BACKLOG, _BACKLOG)
        self.router.setsockopt(zmq.SNDHWM, _REPLIES_KEPT)
        self.router.setsockopt(zmq.RCVHWM, _REQUESTS_KEPT)
        # twice the limit gets through, so that whoever sent a little too much is told; beyond, libzmq hangs up
        self.router.setsockopt(zmq.MAXMSGSIZE, 2 * MAX_FRAME)
        self._events = self._context.socket(zmq.PUB)
        self._events.setsockopt(zmq.LINGER, 0)
        self._events.setsockopt(zmq.MAXMSGSIZE, 256)  # what comes in there are subscriptions
        self._events.setsockopt(zmq.BACKLOG, _BACKLOG)
        self._context.set(zmq.MAX_SOCKETS, 1023)
        self._home = home
        self._count = 0
        self._bound: dict[Path, tuple[str, os.stat_result]] = {}  # by path: its endpoint, and the file that is ours

    def bind(self) -> None:
        """Open both. The holder of the home's lock owns its sockets: a file there is replaced. Raises OSError."""
        for socket, path in self._sockets():
            self._bind(socket, path)

    def bind_again(self) -> None:
        """Open those whose file was removed or replaced. Raises OSError."""
        for socket, path in self._sockets():
            if not self._is_in_place(path):
                log.warning("%s was removed; it is made again", path)
                self._bind(socket, path)

    def _sockets(self) -> tuple[tuple[zmq.Socket[bytes], Path], ...]:
        return ((self._events, self._home.events), (self.router, self._home.socket))

    def _bind(self, socket: zmq.Socket[bytes], path: Path) -> None:
        """Bind to a draft and rename it: libzmq deletes the file of an endpoint that it closes, at any later time."""
        self._count += 1
        draft = path.with_name(f"{self._count}.new")
        draft.unlink(missing_ok=True)
        try:
            socket.bind(f"ipc://{draft}")
        except zmq.ZMQError as error:
            raise OSError(error.errno, error.strerror, str(path)) from None
        draft.chmod(0o600)
        draft.replace(path)
        old = self._bound.get(path)
        self._bound[path] = (f"ipc://{draft}", path.stat())
        if old is not None:
            with contextlib.suppress(zmq.ZMQError):
                socket.unbind(old[0])  # its clients connect again

    def _is_in_place(self, path: Path) -> bool:
        try:
            return path in self._bound and os.path.samestat(self._bound[path][1], path.stat())
        except OSError:
            return False

    def requests(self) -> Iterator[tuple[Peer, bytes]]:
        """What has come in, a bounded number at a time; a message of no known form is nobody's."""
        for _ in range(_FRAMES_A_TURN):
            if not cast("int", self.router.getsockopt(zmq.EVENTS)) & zmq.POLLIN:
                return
            frames = self.router.recv_multipart(zmq.NOBLOCK, copy=False)
            *route, body = frames
            if not route or not (len(route) == 1 or (len(route) == 2 and not route[1].bytes)):  # noqa: PLR2004
                continue  # DEALER sends [id, body], REQ [id, empty, body]
            with contextlib.suppress(ValueError, zmq.ZMQError):
                _, uid, _, pid = str(body.get("Peer-Address")).rsplit(":", 3)
                yield Peer(tuple(frame.bytes for frame in route), int(uid), int(pid)), body.bytes

    def reply(self, route: tuple[bytes, ...], frame: bytes) -> None:
        """Send a reply; whoever is gone or does not read misses it."""
        with contextlib.suppress(zmq.Again, zmq.ZMQError):
            for part in route:
                self.router.send(part, zmq.NOBLOCK | zmq.SNDMORE)
            self.router.send(frame, zmq.NOBLOCK)

    def publish(self, frame: bytes) -> None:
        """Send a hint to all who listen."""
        self._events.send(frame, zmq.NOBLOCK)

    def close(self) -> None:
        """Let go of both sockets; what was said is given a moment to leave."""
        for path in filter(self._is_in_place, self._bound):
            path.unlink(missing_ok=True)
        self.router.close()
        self._events.close()
        self._context.term()
