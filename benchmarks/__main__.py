"""Run all benchmarks, one after the other: `python -m benchmarks [NAME...]`."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Sequence
from importlib import import_module

from benchmarks.harness import machine, timed
from benchmarks.peers import cache
from orchd.protocol.errors import WireError

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
    "fleets",
    "clients",
    "nesting",
    "makespan",
)


def main(names: Sequence[str]) -> int:
    """Run the named benchmarks, or all; each prints its own table. A benchmark that fails does not stop the rest."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that all that was started is ended
    print("  ".join(f"{key} {value}" for key, value in machine().items()))
    for name in cache.SOURCES:
        if program := cache.find(name):
            print(f"{name}: {program.version}")
    return 1 if [name for name in names or NAMES if not done(name)] else 0


def done(name: str) -> bool:
    """Return whether a benchmark came to its end; print what kept it from that."""
    try:
        seconds = timed(import_module(f"benchmarks.{name}").main)
    except (OSError, subprocess.SubprocessError, SystemExit, WireError) as error:
        print(f"({name} failed: {error})", flush=True)
        return False
    print(f"({name} took {seconds:.0f} s)", flush=True)
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
