"""One request on an open connection with 10,000 agents in the history, beside a ROUTER that only echoes."""

from __future__ import annotations

import multiprocessing
import statistics
from pathlib import Path

import zmq

from benchmarks.harness import Figure, report, temporary_home, timed
from benchmarks.peers import Orchd
from orchd.protocol.frames import pack_request

HISTORY, CALLS, ROUNDS = 10_000, 1000, 5


def echo(path: str) -> None:
    """Run a ROUTER in a process of its own that sends each message back."""
    router = zmq.Context().socket(zmq.ROUTER)
    router.bind(f"ipc://{path}")
    while True:
        router.send_multipart(router.recv_multipart())


def round_trip(path: Path, frame: bytes) -> float:
    """Return the median microseconds of one request and its reply."""
    context = zmq.Context()
    dealer = context.socket(zmq.DEALER)
    dealer.connect(f"ipc://{path}")

    def once() -> None:
        dealer.send(frame)
        dealer.recv()

    once()
    samples = [timed(once) for _ in range(CALLS)]
    context.destroy(linger=0)
    return 1e6 * statistics.median(samples)


def main() -> None:
    """Take the rounds in turn against both."""
    home = temporary_home()
    home.create()
    with Orchd() as running:
        running.know(HISTORY)
        server = multiprocessing.Process(target=echo, args=(str(home.socket),), daemon=True)
        server.start()
        requests = {
            "limit": pack_request("1" * 32, "limit", {}),
            "status of one agent": pack_request("1" * 32, "status", {"ids": ["agent-5000"]}),
            "logs": pack_request("1" * 32, "logs", {"id": "agent-5000"}),
        }
        base: list[float] = []
        ours: dict[str, list[float]] = {name: [] for name in requests}
        for _ in range(ROUNDS):
            base.append(round_trip(home.socket, requests["limit"]))
            for name, frame in requests.items():
                ours[name].append(round_trip(running.home.socket, frame))
        server.kill()
        server.join()
    figures = [Figure("bare ROUTER echo", "us", base)] + [
        Figure(
            name,
            "us",
            samples,
            [value / base_value for value, base_value in zip(samples, base, strict=True)],
            "at most 2.5",
        )
        for name, samples in ours.items()
    ]
    report("requests", figures)


if __name__ == "__main__":
    main()
