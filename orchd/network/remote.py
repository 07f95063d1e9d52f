"""The TCP port for other machines: a ROUTER with CURVE only, and the authentication of its clients.

It has a ZeroMQ context, and so a thread of libzmq, of its own: load from outside does not slow local clients.
The key is checked again with every message, and a revoked key ends all its connections.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import socket
from collections.abc import Iterator, Mapping

import zmq

from orchd.errors import OrchdError
from orchd.network.keyring import Keyring
from orchd.network.peers import Peer
from orchd.network.remote_connections import RemoteConnections
from orchd.processes.linux.descriptors import most_connections
from orchd.protocol import addresses
from orchd.protocol.frames import MAX_FRAME, pack_result
from orchd.protocol.keys import public_of

log = logging.getLogger("orchd")

_BACKLOG = 256
_REPLIES_KEPT = 16  # for a client that does not read; answers may be large
_REQUESTS_KEPT = 16
_FRAMES_A_TURN = 64
_CONNECTIONS, _LEAST = 512, 8
_SILENT = 64  # connections that have sent no request yet, and may never have a key
_HANDSHAKE = 10_000  # milliseconds in which a connection must have shown its key
_LOGGED = 100  # refused keys that are logged; a client with made-up keys cannot fill the disk
_ZAP = 7  # frames of a question, of which the last is the key (RFC 27)
_ROUTE = 5  # bytes that libzmq makes, of which the first is 0; what a client chose itself might be another's


class RemoteError(OrchdError):
    """The remote port cannot be opened."""


class RemoteRoute(tuple[bytes, ...]):
    """The route of replies to a client on another machine."""

    __slots__ = ()


class RemoteSocket:
    """The remote port, closed until `open`. Raises RemoteError when it can never be opened."""

    def __init__(self, listen: str, secret: str, keyring: Keyring) -> None:
        self._keyring = keyring
        self._secret = bytes.fromhex(secret)
        self.public = public_of(secret)
        # the port is ours from the beginning to the end, so that cutting all connections does not give it away
        self._listener, self.address = _listener(listen)
        self._context = zmq.Context()
        self._logged: set[bytes] = set()
        self.zap = self._context.socket(zmq.REP)
        self.zap.setsockopt(zmq.LINGER, 0)
        self.zap.bind("inproc://zeromq.zap.01")
        self.router: zmq.Socket[bytes] | None = None
        self.monitor: zmq.Socket[bytes] | None = None  # what libzmq reports of connections
        self._numbers = itertools.count(1)
        most = min(_CONNECTIONS, max(_LEAST, most_connections() // 2))
        self._guests = RemoteConnections(most, min(_SILENT, most // 2))

    def open(self) -> None:
        """Accept connections from now on."""
        router = self._context.socket(zmq.ROUTER)
        for option, value in (
            (zmq.CURVE_SERVER, 1),
            (zmq.CURVE_SECRETKEY, self._secret),
            (zmq.ZAP_DOMAIN, b"orchd"),
            (zmq.ZAP_ENFORCE_DOMAIN, 1),  # without an authenticator no client is accepted
            (zmq.ROUTER_MANDATORY, 1),
            (zmq.LINGER, 200),
            (zmq.BACKLOG, _BACKLOG),
            (zmq.SNDHWM, _REPLIES_KEPT),
            (zmq.RCVHWM, _REQUESTS_KEPT),
            (zmq.MAXMSGSIZE, 2 * MAX_FRAME),
            (zmq.HANDSHAKE_IVL, _HANDSHAKE),
            (zmq.TCP_KEEPALIVE, 1),
            (zmq.TCP_KEEPALIVE_IDLE, addresses.KEEPALIVE_IDLE),
            (zmq.TCP_KEEPALIVE_INTVL, addresses.KEEPALIVE_INTERVAL),
            (zmq.TCP_KEEPALIVE_CNT, addresses.KEEPALIVE_PROBES),
            (zmq.IPV6, int(self._listener.family == socket.AF_INET6)),
            (zmq.USE_FD, os.dup(self._listener.fileno())),
        ):
            router.setsockopt(option, value)
        place = f"inproc://monitor-{next(self._numbers)}"
        router.monitor(place, zmq.Event.ACCEPTED | zmq.Event.DISCONNECTED)
        self.monitor = self._context.socket(zmq.PAIR)
        self.monitor.setsockopt(zmq.RCVHWM, 0)  # unbounded, since the thread of libzmq would block otherwise
        self.monitor.setsockopt(zmq.LINGER, 0)
        self.monitor.connect(place)
        router.bind(self.address)
        self.router = router

    def cut(self) -> None:
        """End every connection, with unsent data. Clients with valid keys reconnect by themselves."""
        if self.router is not None:
            self._close(0)
            self._guests.clear()
            self.open()

    def _close(self, linger: int | None = None) -> None:
        if self.router is not None and self.monitor is not None:
            self.router.disable_monitor()
            self.monitor.close(linger=0)
            self.router.close(linger)

    def see(self, ready: Mapping[object, int]) -> None:
        """Handle pending handshakes and reports of connections."""
        if self.zap in ready:
            self.authenticate()
        if self.monitor in ready:
            self.watch()

    def watch(self) -> None:
        """Read reports of opened and closed connections, and end some when there are too many."""
        while self.monitor is not None:
            try:
                event, _ = self.monitor.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            descriptor = int.from_bytes(event[2:6], "little")
            if int.from_bytes(event[:2], "little") == zmq.Event.ACCEPTED:
                self._guests.accepted(descriptor)
            else:
                self._guests.left(descriptor)

    def authenticate(self) -> None:
        """Answer pending authentication requests, a bounded number at a time."""
        for _ in range(_FRAMES_A_TURN):
            try:
                request = self.zap.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            public = request[-1] if len(request) == _ZAP and request[5] == b"CURVE" else b""
            is_known = self._keyring.remote_client(public.hex()) is not None
            if not is_known and public not in self._logged and len(self._logged) < _LOGGED:
                self._logged.add(public)
                where = request[3].decode("ascii", "replace")
                log.warning("refused the key %s from %s: it is not authorized", public.hex() or "(none)", where)
            status = (b"200", b"OK", public.hex().encode()) if is_known else (b"400", b"no", b"")
            self.zap.send_multipart([*request[:2], *status, b""])

    def requests(self) -> Iterator[tuple[Peer, bytes]]:
        """Return requests from currently authorized keys, a bounded number at a time."""
        for _ in range(_FRAMES_A_TURN):
            if self.router is None:
                return
            try:
                frames = self.router.recv_multipart(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                return
            if len(frames) != 2 or len(route := frames[0].bytes) != _ROUTE or route[0]:  # noqa: PLR2004
                continue
            with contextlib.suppress(zmq.ZMQError):
                remote_client = self._keyring.remote_client(str(frames[1].get("User-Id")))
                if remote_client is not None:
                    self._guests.mark_active(frames[1].get(zmq.SRCFD))
                    yield Peer(RemoteRoute((route,)), -1, 0, remote_client), frames[1].bytes

    def reply(self, route: tuple[bytes, ...], frame: bytes) -> bool:
        """Send a reply; returns False when its client is disconnected. A client that does not read misses it."""
        if self.router is None:
            return False
        try:
            self.router.send_multipart([*route, frame], zmq.NOBLOCK)
        except zmq.Again:
            return True
        except zmq.ZMQError:
            return False
        return True

    def close(self) -> None:
        """Close the port; unsent replies get a moment to be sent."""
        self._close()
        self.zap.close()
        self._listener.close()
        self._context.term()


NOTHING = pack_result("", None)  # a reply to no request: clients ignore it, sending it fails without a client


def _listener(listen: str) -> tuple[socket.socket, str]:
    """Return a listening socket, and its address with the actual port."""
    wanted = addresses.address(listen)
    if wanted is None:
        raise RemoteError(f"[remote] listen: {listen} is not a valid address; use tcp://ADDRESS:PORT in config.toml")
    listener = socket.socket(socket.AF_INET6 if wanted.is_six else socket.AF_INET)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((wanted.host, wanted.port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise RemoteError(
            f"[remote] listen: cannot listen on {listen}: {error.strerror}; "
            "choose another address or port in config.toml, or remove the key"
        ) from None
    os.set_blocking(listener.fileno(), False)
    return listener, str(wanted._replace(port=listener.getsockname()[1]))
