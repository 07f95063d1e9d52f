"""Many clients in one process: `python -m benchmarks.faults.crowd asks|listens HOME COUNT`.

Each of those that ask gets its answer before `served` is said; all stay until our standard input ends.
Those that listen read nothing, ever.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import msgpack
import zmq

from orchd.instance.home import Home
from orchd.protocol.frames import pack_request

_PATIENCE = int(float(os.environ.get("FAULTS_DEADLINE", "60")) * 500)  # ms


def main(how: str, home: Home, count: int) -> None:
    """Connect the clients, print whether they are served, and stay."""
    context = zmq.Context()
    context.set(zmq.MAX_SOCKETS, 2 * count + 10)
    kind = zmq.DEALER if how == "asks" else zmq.SUB
    members = [context.socket(kind) for _ in range(count)]
    for number, member in enumerate(members):
        if how == "asks":
            member.connect(f"ipc://{home.socket}")
            member.send(pack_request(f"{os.getpid()}-{number}", "limit", {}))
        else:
            member.setsockopt(zmq.RCVHWM, 1)
            member.subscribe(b"")
            member.connect(f"ipc://{home.events}")
    print(_served(members) if how == "asks" else "served", flush=True)
    sys.stdin.read()
    context.destroy(linger=0)


def _served(members: list[zmq.Socket[bytes]]) -> str:
    """Return whether each client has its answer, or how many have none."""
    poller, waiting = zmq.Poller(), set(members)
    for member in members:
        poller.register(member, zmq.POLLIN)
    while waiting:
        ready = poller.poll(_PATIENCE)
        if not ready:
            return f"{len(waiting)} unserved"
        for member, _ in ready:
            if msgpack.unpackb(member.recv())["ok"]:
                poller.unregister(member)
                waiting.discard(member)
    return "served"


if __name__ == "__main__":
    main(sys.argv[1], Home(Path(sys.argv[2])), int(sys.argv[3]))
