"""A client that keeps to no rules: any frame, any id, any number of connections."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgpack
import zmq

from orchd.instance.home import Home

PATIENCE = 20_000
ROOT = Path(__file__).parents[2]


def documented_codes() -> set[str]:
    """Every error code that docs/reference/protocol.md lists."""
    section = (ROOT / "docs/reference/protocol.md").read_text().split("## Errors")[1].split("\n## ")[0]
    cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    return {code for cell in cells for code in re.findall(r"`([a-z-]+)`", cell)}


def provoked_codes() -> set[str]:
    """The codes that a client can provoke; the other code reports a fault of the daemon."""
    return documented_codes() - {"internal"}


def packed(value: object) -> bytes:
    """msgpack, also of what is not UTF-8."""
    return bytes(msgpack.packb(value, unicode_errors="surrogateescape"))


def request(request_id: Any, op: Any, args: Any = None, version: Any = 1) -> bytes:
    """The frame of a request, right or wrong."""
    return packed({"v": version, "id": request_id, "op": op, "args": {} if args is None else args})


class Raw:
    """One connection."""

    def __init__(self, home: Home, kind: int = zmq.DEALER, routing_id: bytes = b"") -> None:
        self.context = zmq.Context()
        self.socket: zmq.Socket[bytes] = self.context.socket(kind)
        if routing_id:
            self.socket.setsockopt(zmq.ROUTING_ID, routing_id)
        self.socket.connect(f"ipc://{home.socket}")
        self._ids = itertools.count(1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.context.destroy(linger=0)

    def send(self, *frames: bytes) -> None:
        """Send a message of these parts."""
        self.socket.send_multipart(frames)

    def recv(self, timeout: int = PATIENCE) -> dict[str, Any]:
        """The next reply; AssertionError when none comes."""
        assert self.socket.poll(timeout), "silence"
        reply: dict[str, Any] = msgpack.unpackb(self.socket.recv(), unicode_errors="surrogateescape")
        return reply

    def ask(self, op: Any, args: Any = None, request_id: str = "") -> dict[str, Any]:
        """The reply to a request."""
        request_id = request_id or f"raw-{next(self._ids)}"
        self.send(request(request_id, op, args))
        reply = self.recv()
        assert reply["id"] == request_id
        return reply

    def code(self, op: Any, args: Any = None) -> str:
        """The error code of the reply, or nothing."""
        reply = self.ask(op, args)
        return "" if reply["ok"] else str(reply["error"]["code"])
