"""Hints from the daemon that something happened. What happened is asked for, so nothing is missed or told twice."""

from __future__ import annotations

import time
from collections.abc import Iterable

import zmq

from orchctl.connection import Monitor
from orchd.wire import Home, WireError, unpack_hint

_EVENTS = zmq.Event.DISCONNECTED | zmq.Event.HANDSHAKE_SUCCEEDED
_PAUSE = 0.2  # seconds between two looks while much happens: people do not read faster, and each look is a request


class News:
    """A subscription that finds the daemon again by itself. Make it before reading what it is to keep current."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], home: Home) -> None:
        self._socket = context.socket(zmq.SUB)
        self._socket.subscribe(b"")
        self._monitor = Monitor(self._socket, _EVENTS)
        self._address = f"ipc://{home.events}"
        self._socket.connect(self._address)

    def close(self) -> None:
        """Listen no more."""
        self._monitor.close()
        self._socket.close(linger=0)

    def sources(self) -> Iterable[zmq.Socket[bytes]]:
        """What can be read when there may be news."""
        return (self._socket, self._monitor.socket)

    def drain(self) -> bool:
        """Whether anything came since the last time: a hint, or a connection lost or made, which may hide some."""
        came = False
        while self._monitor.socket.poll(0):
            if self._monitor.read() == zmq.Event.DISCONNECTED:
                self._begin_anew()
            came = True
        while self._socket.poll(0):
            came = _is_hint(self._socket.recv()) or came
        return came

    def _begin_anew(self) -> None:
        """Connect as for the first time: one in a hundred of libzmq's own reconnections forgets the subscription."""
        self._socket.disconnect(self._address)
        self._socket.connect(self._address)

    def wait(self) -> None:
        """Return when there may be news."""
        poller = zmq.Poller()
        for source in self.sources():
            poller.register(source, zmq.POLLIN)
        while not self.drain():
            poller.poll()


class Pace:
    """When to look after news: at once, but not at once again. There is something to look at from the beginning."""

    def __init__(self, news: News) -> None:
        self._news = news
        self._is_stale = True
        self._looked = -_PAUSE

    def seconds(self) -> float | None:
        """Seconds until one should look: 0.0 is now, None is not before the next news."""
        self._is_stale = self._news.drain() or self._is_stale
        return max(0.0, self._looked + _PAUSE - time.monotonic()) if self._is_stale else None

    def looked(self) -> None:
        """To be called before looking: what comes later is news."""
        self._looked, self._is_stale = time.monotonic(), False


def _is_hint(frame: bytes) -> bool:
    try:
        unpack_hint(frame)
    except WireError:
        return False
    return True
