"""ZMTP 3.0 with the NULL mechanism (RFC 23): the server's side of one connection. Bytes in, messages out; no I/O.

The daemon speaks it itself, because libzmq accepts connections on its own and keeps the accepted socket from us:
docs/internals/decisions/030-connections-and-callers.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from struct import pack

_SIZE = 64  # bytes of a greeting
_MECHANISM = b"NULL".ljust(20, b"\0")
GREETING = b"\xff" + bytes(8) + b"\x7f" + b"\x03\x00" + _MECHANISM + bytes(32)
_MORE, _LONG, _COMMAND = 1, 2, 4
_KEPT = 3  # parts of a message: no message that is answered has more
_PING_TTL = 2  # bytes before the context of a PING


class ProtocolError(Exception):
    """The peer does not speak ZMTP 3 with NULL, or exceeds a limit: close the connection."""


def encode(parts: Iterable[bytes], *, more: bool = False) -> bytes:
    """Return the bytes of a message of these parts; with `more` another part follows."""
    listed = list(parts)
    last = len(listed) - 1
    return b"".join(_frame(_MORE * (more or number < last), part) for number, part in enumerate(listed))


def _frame(flags: int, body: bytes) -> bytes:
    size = len(body)
    return (bytes((flags, size)) if size < 256 else pack(">BQ", flags | _LONG, size)) + body  # noqa: PLR2004


def command(name: bytes, data: bytes) -> bytes:
    """Return the bytes of a command."""
    return _frame(_COMMAND, bytes((len(name),)) + name + data)


def refusal(status: bytes) -> bytes:
    """Return the bytes that refuse a client: it reports a failed handshake with this status of three digits."""
    return GREETING + command(b"ERROR", bytes((len(status),)) + status)


class ZmtpSession:
    """The server's side of one connection, as a socket of `kind` that talks to `peers`."""

    def __init__(self, kind: bytes, peers: frozenset[bytes], largest: int) -> None:
        self.opening = GREETING + command(b"READY", b"\x0bSocket-Type" + pack(">I", len(kind)) + kind)
        self.answers = b""  # to be sent: what commands ask for
        self.is_ready = False
        self._peers = peers
        self._largest = largest
        self._is_greeted = False
        self._buffer = bytearray()
        self._parts: list[bytes] = []
        self._count = 0

    def feed(self, data: bytes) -> Iterator[tuple[bytes, ...]]:
        """Return the messages that `data` completes. Messages of many parts are ignored. Raises ProtocolError."""
        self._buffer += data
        if not self._is_greeted:
            if len(self._buffer) < _SIZE:
                self._check_greeting(bytes(self._buffer))
                return
            self._check_greeting(bytes(self._buffer[:_SIZE]))
            del self._buffer[:_SIZE]
            self._is_greeted = True
        start = 0
        try:
            while (frame := self._next(start)) is not None:
                flags, begin, start = frame
                body = bytes(self._buffer[begin:start])
                if flags & _COMMAND:
                    self._obey(body)
                else:
                    yield from self._add_part(flags, body)
        finally:
            del self._buffer[:start]

    def _next(self, start: int) -> tuple[int, int, int] | None:
        """Return the flags of the next frame and the bounds of its body; None while it is incomplete."""
        buffer = self._buffer
        left = len(buffer) - start
        if left < 2:  # noqa: PLR2004
            return None
        flags = buffer[start]
        if flags & ~(_MORE | _LONG | _COMMAND):
            raise ProtocolError("a frame has unknown flags")
        head = 9 if flags & _LONG else 2
        if left < head:
            return None
        size = int.from_bytes(buffer[start + 1 : start + head])
        if size > self._largest:
            raise ProtocolError("a frame is too large")
        return None if left < head + size else (flags, start + head, start + head + size)

    def _add_part(self, flags: int, body: bytes) -> Iterator[tuple[bytes, ...]]:
        """Add a part to the message, and yield the message when the part is its last."""
        if not self.is_ready:
            raise ProtocolError("a message came before the handshake")
        self._count += 1
        if self._count <= _KEPT:
            self._parts.append(body)
        if not flags & _MORE:
            if self._count <= _KEPT:
                yield tuple(self._parts)
            self._parts, self._count = [], 0

    def _check_greeting(self, seen: bytes) -> None:
        """Check a greeting, or as much of it as was received."""
        signature = seen[:1] in (b"", b"\xff") and seen[9:10] in (b"", b"\x7f")
        version = len(seen) < 11 or seen[10] >= 3  # noqa: PLR2004
        if not (signature and version and _MECHANISM.startswith(seen[12:32])):
            raise ProtocolError("not a greeting of ZMTP 3 with the mechanism NULL")

    def _obey(self, body: bytes) -> None:
        """Perform a command: the end of the handshake, a PING, an ERROR. Raises ProtocolError."""
        name, data = body[1 : 1 + body[0]] if body else b"", body[1 + body[0] :] if body else b""
        if self.is_ready:
            if name == b"PING":
                self.answers += command(b"PONG", data[_PING_TTL:][:16])
            elif name == b"ERROR":
                raise ProtocolError("the peer reported an error")
            return
        properties: dict[bytes, bytes] = {}  # the metadata of a READY command
        while name == b"READY" and data:
            size = data[0]
            key, rest = data[1 : 1 + size], data[1 + size :]
            length = int.from_bytes(rest[:4])
            if len(key) < size or len(rest) < 4 + length:
                raise ProtocolError("the metadata of the handshake is incomplete")
            properties[key.lower()] = rest[4 : 4 + length]
            data = rest[4 + length :]
        if properties.get(b"socket-type") not in self._peers:
            raise ProtocolError("the handshake is not valid, or the socket type is not supported")
        self.is_ready = True
