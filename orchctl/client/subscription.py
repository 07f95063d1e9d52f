"""A subscription to hints that an event was recorded. A client then requests the state, so it misses nothing."""

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
    """A subscription that reconnects by itself. Create it before the first read of the state to follow."""

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
        """Close the sockets."""
        self._monitor.close()
        self._socket.close(linger=0)

    def sources(self) -> Iterable[zmq.Socket[bytes]]:
        """Return the sockets that can be read when there may be news."""
        return (self._socket, self._monitor.socket)

    def drain(self) -> bool:
        """Whether there is news since the last call: a hint, or a connection lost or made, which may hide a hint.

        Raises RefusedError when the daemon of another machine refuses the key of this client.
        """
        came = False
        while self._monitor.socket.poll(0):
            event = self._monitor.read()
            if self._far is not None and self._link is not None:
                with suppress(NoDaemonError):  # the user of a subscription waits until there is a daemon
                    self._link.is_broken(event)
                if event == zmq.Event.HANDSHAKE_SUCCEEDED:  # libzmq connects again by itself, without asking for hints
                    self._far.ask_for_hints(self._socket)
            elif event == zmq.Event.DISCONNECTED:
                # connect as for the first time: one in a hundred of libzmq's own reconnections forgets the subscription
                self._socket.disconnect(self._address)
                self._socket.connect(self._address)
            came = True
        while self._socket.poll(0):
            frame = self._socket.recv()
            try:
                unpack_hint(frame)
                came = True
            except WireError:
                # another machine replies that it sends hints from now on: it sent none for earlier events
                came = came or self._far is not None
        return came

    def wait(self) -> None:
        """Return when there may be news."""
        poller = zmq.Poller()
        for source in self.sources():
            poller.register(source, zmq.POLLIN)
        while not self.drain():
            poller.poll()


class Throttle:
    """The rate of looks after news: at once, but not again within a fifth of a second. The first look is due."""

    def __init__(self, news: Subscription) -> None:
        self._news = news
        self._is_stale = True
        self._looked = -_PAUSE

    def seconds(self) -> float | None:
        """Return the seconds until the next look: 0.0 is now, None is not before the next news."""
        self._is_stale = self._news.drain() or self._is_stale
        return max(0.0, self._looked + _PAUSE - time.monotonic()) if self._is_stale else None

    def looked(self) -> None:
        """Note that a look begins: a hint that comes later is news."""
        self._looked, self._is_stale = time.monotonic(), False
