"""Hints from the daemon that something happened. What happened is asked for, so nothing is missed or told twice."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

import zmq

from orchctl.client.connection import Monitor
from orchctl.errors import NoDaemonError
from orchd.instance.home import Home
from orchd.protocol.errors import WireError
from orchd.protocol.frames import unpack_hint

if TYPE_CHECKING:
    from orchctl.client.remote import Link, RemoteDaemon

_EVENTS = zmq.Event.DISCONNECTED | zmq.Event.HANDSHAKE_SUCCEEDED
_PAUSE = 0.2  # seconds between two looks while much happens: people do not read faster, and each look is a request


class Subscription:
    """A subscription that finds the daemon again by itself. Make it before reading what it is to keep current."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], target: Home | RemoteDaemon) -> None:
        self._far = None if isinstance(target, Home) else target
        self._link: Link | None = None
        if isinstance(target, Home):
            self._socket = context.socket(zmq.SUB)
            self._socket.subscribe(b"")
            self._monitor = Monitor(self._socket, _EVENTS)
            self._address = f"ipc://{target.events}"
            self._socket.connect(self._address)
        else:
            from orchctl.client.remote import EVENTS

            self._socket = context.socket(zmq.DEALER)
            self._monitor = Monitor(self._socket, EVENTS)
            self._link = target.dial(self._socket)

    def close(self) -> None:
        """Listen no more."""
        self._monitor.close()
        self._socket.close(linger=0)

    def sources(self) -> Iterable[zmq.Socket[bytes]]:
        """What can be read when there may be news."""
        return (self._socket, self._monitor.socket)

    def drain(self) -> bool:
        """Whether anything came since the last time: a hint, or a connection lost or made, which may hide some.

        Raises RefusedError when another machine does not let us in, or no more.
        """
        came = False
        while self._monitor.socket.poll(0):
            event = self._monitor.read()
            if self._far is not None and self._link is not None:
                self._heed(event, self._far, self._link)
            elif event == zmq.Event.DISCONNECTED:
                self._begin_anew()
            came = True
        while self._socket.poll(0):
            # the answer of another machine that we are listening now: what happened before was hinted to nobody
            came = _is_hint(self._socket.recv()) or self._far is not None or came
        return came

    def _heed(self, event: int, far: RemoteDaemon, link: Link) -> None:
        """Ask for hints on every new connection; libzmq makes them."""
        with suppress(NoDaemonError):  # whoever looks on waits until there is one
            link.is_broken(event)
        if event == zmq.Event.HANDSHAKE_SUCCEEDED:
            far.ask_for_hints(self._socket)

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


class Throttle:
    """When to look after news: at once, but not at once again. There is something to look at from the beginning."""

    def __init__(self, news: Subscription) -> None:
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
