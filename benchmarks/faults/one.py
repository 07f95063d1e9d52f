"""One row, in a process of its own: `python -m benchmarks.faults.one NAME TRIES SECONDS [--until-trouble]`, as JSON."""

from __future__ import annotations

import json
import subprocess
import sys
import time

from benchmarks.faults.lab import Stuck
from benchmarks.faults.rows import ROWS
from benchmarks.faults.tally import Tally
from orchctl.errors import NoDaemonError
from orchd.protocol.errors import WireError


def main(name: str, tries: int, seconds: float, *, until_trouble: bool) -> Tally:
    """Try the row until a count of tries, or the time, or, where that is enough, until a count is not 0."""
    row = next(row for row in ROWS if row.name == name)
    tally, end = Tally(), time.monotonic() + seconds
    trying = row.trying(tally)
    try:
        for _ in trying:
            tally.tries += 1
            is_late = time.monotonic() > end and (until_trouble or tally.tries >= row.least)
            if tally.tries >= tries or is_late or (until_trouble and tally.troubles):
                break
    except (Stuck, NoDaemonError, WireError, AssertionError, OSError, subprocess.TimeoutExpired) as trouble:
        tally.tries += 1
        tally.count("unreported", 1, f"{type(trouble).__name__}: {trouble}")
    trying.close()  # type: ignore[attr-defined]
    return tally


if __name__ == "__main__":
    result = main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), until_trouble="--until-trouble" in sys.argv)
    json.dump(result.as_json(), sys.stdout)
