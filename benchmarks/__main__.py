"""All of them, one after the other: `python -m benchmarks [NAME...]`."""

from __future__ import annotations

import signal
import sys
from importlib import import_module

from benchmarks.harness import machine, timed
from benchmarks.peers import cache

NAMES = (
    "throughput",
    "latency",
    "listing",
    "handover",
    "requests",
    "output",
    "idle",
    "cli",
    "growth",
    "backlog",
    "clients",
    "nesting",
    "makespan",
)


def main() -> int:
    """Run those named, or all; what each prints is a table of its own."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended; so is all that was started"))
    print("  ".join(f"{key} {value}" for key, value in machine().items()))
    for name in cache.SOURCES:
        if found := cache.find(name):
            print(f"{name}: {found.version}")
    for name in sys.argv[1:] or NAMES:
        seconds = timed(import_module(f"benchmarks.{name}").main)
        print(f"({name} took {seconds:.0f} s)", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
