"""A process that inherits a connection: `python -m benchmarks.faults.heir SOCKET AGENT`.

The process that connects leaves the connection to its child and ends. The child asks to raise the limit, to end the
agent and to spawn one, and prints the code of each error, or `granted`.
"""

from __future__ import annotations

import os
import select
import socket
import sys
from collections.abc import Iterator

import msgpack

from orchd.network.zmtp import GREETING, ZmtpSession, command, encode
from orchd.protocol.frames import pack_request

_OPENING = GREETING + command(b"READY", b"\x0bSocket-Type\0\0\0\x06DEALER")
_SECONDS = 20.0
_LARGEST = 1 << 20


def main(path: str, agent: str) -> None:
    """Connect, leave the connection to a child process, and send its requests."""
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(path)
    connection.sendall(_OPENING)
    session = ZmtpSession(b"DEALER", frozenset({b"ROUTER"}), _LARGEST)
    while not session.is_ready:
        list(session.feed(connection.recv(_LARGEST)))
    parent = os.pidfd_open(os.getpid())
    if os.fork():
        os._exit(0)
    select.select([parent], [], [], _SECONDS)
    spawn: dict[str, object] = {"agents": [{"command": ["true"]}], "cwd": "/", "env": {}}
    requests: list[tuple[str, dict[str, object]]] = [
        ("limit", {"limit": 9}),
        ("cancel", {"ids": [agent]}),
        ("spawn", spawn),
    ]
    for number, (op, args) in enumerate(requests):
        connection.sendall(encode([pack_request(f"heir-{number}", op, args)]))
        print(next(_replies(connection, session)), flush=True)


def _replies(connection: socket.socket, session: ZmtpSession) -> Iterator[str]:
    connection.settimeout(_SECONDS)
    while data := connection.recv(_LARGEST):
        for message in session.feed(data):
            reply = msgpack.unpackb(message[-1])
            yield "granted" if reply["ok"] else reply["error"]["code"]


if __name__ == "__main__":
    main(*sys.argv[1:])
