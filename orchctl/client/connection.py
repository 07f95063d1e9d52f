"""A connection to a daemon, which detects that the daemon has ended."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Protocol

import zmq

from orchctl.daemon import launcher, probe
from orchctl.errors import NoDaemonError
from orchd.instance.home import Home
from orchd.instance.service import log_of
from orchd.protocol import frames
from orchd.protocol.errors import WireError
from orchd.protocol.frames import unpack_reply

if TYPE_CHECKING:
    from orchctl.client.remote import Link, RemoteDaemon

_BROKEN = zmq.Event.DISCONNECTED | zmq.Event.HANDSHAKE_FAILED_NO_DETAIL | zmq.Event.HANDSHAKE_FAILED_PROTOCOL
_EVENTS = _BROKEN | zmq.Event.CONNECT_RETRIED | zmq.Event.HANDSHAKE_FAILED_AUTH
_OF_FAR = zmq.Event.HANDSHAKE_SUCCEEDED

_NO_ROOM = (
    "the daemon accepts no more connections from this caller. End some commands that wait (each holds a "
    "connection), or raise the daemon's limit of open files (ulimit -n), then try again"
)
_LONGEST = 86_400.0  # seconds of one poll: its milliseconds are a C int, which 25 days overflow


class SideTask(Protocol):
    """Work to do while a client waits for a reply."""

    def sources(self) -> Iterable[zmq.Socket[bytes] | int]:
        """Return the sockets and descriptors that call for `look` when they can be read."""

    def look(self) -> float | None:
        """Do the work. Returns the seconds after which to be called in any case, or None."""


class Monitor:
    """The events of a socket's connections, as libzmq reports them."""

    def __init__(self, watched: zmq.Socket[bytes], events: int) -> None:
        self._watched = watched
        self.socket = watched.get_monitor_socket(events)

    def read(self) -> int:
        """Return the number of the next event."""
        return int.from_bytes(self.socket.recv_multipart()[0][:2], "little")

    def close(self) -> None:
        """Stop watching, which must happen before the watched socket is closed."""
        # first of all: libzmq's thread would block for ever on an event that is never read
        self._watched.disable_monitor()
        self.socket.close(linger=0)


class Connection:
    """A DEALER socket and its monitor. Without a daemon it counts as broken, unless it `awaits` the daemon's return."""

    def __init__(
        self, context: zmq.Context[zmq.Socket[bytes]], target: Home | RemoteDaemon, *, awaits: Callable[[], bool] = bool
    ) -> None:
        self._awaits = awaits
        self._target = target
        self._link: Link | None = None
        self._dealer = context.socket(zmq.DEALER)
        self._monitor = Monitor(self._dealer, _EVENTS if isinstance(target, Home) else _EVENTS | _OF_FAR)
        if isinstance(target, Home):
            self._dealer.connect(f"ipc://{target.socket}")
        else:
            self._link = target.dial(self._dealer)
        self._since = time.monotonic()

    @property
    def age(self) -> float:
        """Return the seconds since the connection was made."""
        return time.monotonic() - self._since

    def close(self) -> None:
        """Close the sockets; requests that were not sent are dropped."""
        self._monitor.close()
        self._dealer.close(linger=0)

    def ask(self, request_id: str, frame: bytes, until: float, watch: SideTask | None) -> frames.ReplyFrame | None:
        """Return the reply to `frame`; None when the connection broke first. Raises NoDaemonError after `until`."""
        try:
            self._dealer.send(frame, zmq.NOBLOCK)
        except zmq.Again:  # libzmq has given a connection up that was not let in again: the daemon tells a new one why
            return None
        poller = zmq.Poller()
        for source in (self._dealer, self._monitor.socket, *(watch.sources() if watch else ())):
            poller.register(source, zmq.POLLIN)
        while True:
            again = watch.look() if watch else None
            bound = until if self._link is None else self._link.bound(until)
            ready = dict(poller.poll(milliseconds(bound, again)))
            if self._dealer in ready:
                reply = unpack_reply(self._dealer.recv())
                if reply.id == request_id:
                    return reply
            elif self._monitor.socket in ready and self._is_broken():
                return None
            elif time.monotonic() >= bound:
                raise self._silence()

    def _silence(self) -> NoDaemonError:
        """Return the error for a daemon that does not answer. Raises NoDaemonError where an agent awaits its return."""
        home = self._target
        if not isinstance(home, Home):
            return home.silent()
        if self._awaits() and not probe.is_running(home):
            launcher.check_outside(home)
        return NoDaemonError(
            f"the daemon of {home.directory} does not answer; see {log_of(home)}, or restart it with "
            "`orchctl daemon restart`"
        )

    def _is_broken(self) -> bool:
        """Whether the next event of the socket ends the connection. Raises WireError when the daemon refuses it."""
        event = self._monitor.read()
        if self._link is not None:
            return self._link.is_broken(event)
        if event & zmq.Event.HANDSHAKE_FAILED_AUTH:  # on this machine a daemon refuses a handshake for want of room
            raise WireError("busy", _NO_ROOM)
        if event & _BROKEN:
            return True
        # libzmq tries again by itself, which is right when the daemon's backlog is full, and in vain when none runs
        return isinstance(self._target, Home) and not probe.is_running(self._target) and not self._awaits()


def milliseconds(until: float, again: float | None) -> int | None:
    """Return how long to poll: until a moment of the monotonic clock, or `again` seconds when that is sooner.

    For a moment that is far away the caller polls again and again.
    """
    left = min(until - time.monotonic(), math.inf if again is None else again)
    return None if math.isinf(left) else max(0, math.ceil(min(left, _LONGEST) * 1000))
