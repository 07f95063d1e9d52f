"""All of them, one after the other: `python -m benchmarks [NAME...]`."""

from __future__ import annotations

import sys
from importlib import import_module

from benchmarks.harness import machine

NAMES = ("throughput", "handover", "requests", "cli", "idle", "makespan")


def main() -> int:
    """Run those named, or all; what each prints is a table of its own."""
    print("  ".join(f"{key} {value}" for key, value in machine().items()))
    for name in sys.argv[1:] or NAMES:
        import_module(f"benchmarks.{name}").main()
    return 0


if __name__ == "__main__":
    sys.exit(main())
