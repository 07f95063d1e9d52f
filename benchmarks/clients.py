"""1 to 500 clients: requests and durable submits a second, and how long one client waits for its answer."""

from __future__ import annotations

import statistics

import zmq

from benchmarks import pictures
from benchmarks.harness import Figure, over, report, timed
from benchmarks.peers import Orchd
from benchmarks.peers.orchd import TRUE
from orchd.protocol.frames import pack_request

CLIENTS, ROUNDS = (1, 10, 50, 100, 500), 5
REQUESTS, SUBMITS, ALONE = 2000, 500, 100  # of all clients together; of one while the others rest


class Crowd:
    """`count` connections in one process."""

    def __init__(self, running: Orchd, count: int) -> None:
        self._context = zmq.Context()
        self._running, self._asked = running, 0
        self.sockets = [self._context.socket(zmq.DEALER) for _ in range(count)]
        for socket in self.sockets:
            socket.connect(f"ipc://{running.home.socket}")
        self.all("limit", {}, count)

    def close(self) -> None:
        """Close all connections."""
        self._context.destroy(linger=0)

    def ask(self, socket: zmq.Socket[bytes], op: str, args: dict[str, object]) -> None:
        """Send a request on one connection."""
        self._asked += 1
        socket.send(pack_request(f"{self._asked:032x}", op, args))

    def all(self, op: str, args: dict[str, object], count: int) -> None:
        """Send on every connection, and again after each answer, until there are `count` answers."""
        poller = zmq.Poller()
        for socket in self.sockets:
            poller.register(socket, zmq.POLLIN)
        remaining = count
        for socket in self.sockets[:remaining]:
            self.ask(socket, op, args)
            remaining -= 1
        answered = 0
        while answered < count:
            for socket, _ in poller.poll():
                socket.recv()
                answered += 1
                if remaining:
                    self.ask(socket, op, args)
                    remaining -= 1

    def one(self) -> None:
        """Send on the first connection and wait for the answer."""
        self.ask(self.sockets[0], "limit", {})
        self.sockets[0].recv()


def measured(running: Orchd, count: int) -> dict[str, float]:
    """Measure a crowd that connects and closes."""
    crowd = Crowd(running, count)
    spawn: dict[str, object] = {"agents": [TRUE], "cwd": "/", "env": {}}
    try:
        alone = statistics.median(1000 * timed(crowd.one) for _ in range(ALONE))
        requests = REQUESTS / timed(lambda: crowd.all("limit", {}, REQUESTS))
        running.call("pause")
        submits = SUBMITS / timed(lambda: crowd.all("spawn", spawn, SUBMITS))
    finally:
        crowd.close()
    running.call("resume")
    running.call("wait", scope="all")
    return {"requests a second": requests, "submits a second": submits, "one request, the others at rest": alone}


def main() -> None:
    """Start one daemon and take the rounds in turn."""
    samples: dict[str, dict[int, list[float]]] = {}
    with Orchd() as running:
        for _ in range(ROUNDS):
            for count in CLIENTS:
                for name, value in measured(running, count).items():
                    samples.setdefault(name, {}).setdefault(count, []).append(value)
    report(
        "clients",
        [
            Figure(
                f"{name}, {count} clients", "/s" if name.endswith("second") else "ms", values, over(values, by_count[1])
            )
            for name, by_count in samples.items()
            for count, values in by_count.items()
        ],
    )
    ratios_by_name = {
        name: {count: over(values, by_count[1]) for count, values in by_count.items()}
        for name, by_count in samples.items()
    }
    axes = "clients that are connected", "times what it is with one"
    pictures.write("clients", pictures.growth("What many clients cost", axes, ratios_by_name))


if __name__ == "__main__":
    main()
