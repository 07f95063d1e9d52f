"""One agent that writes 200 MB of lines: from its start until all of it is kept."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
from collections.abc import Callable
from functools import partial

from benchmarks import pictures
from benchmarks.harness import Figure, over, report, timed
from benchmarks.peers import at_hand, cache
from benchmarks.peers.base import BYTES, WRITER

ROUNDS = 5
BASE = "a file, by redirection"


def redirected() -> None:
    """Redirect to a file: nothing can be faster."""
    with tempfile.TemporaryFile() as file:
        subprocess.run(WRITER, stdout=file, check=True)


def grouped(program: str) -> None:
    """Run GNU parallel, into one file."""
    with tempfile.TemporaryFile() as file:
        subprocess.run([program, *WRITER[:-1], ":::", WRITER[-1]], stdout=file, stderr=subprocess.DEVNULL, check=True)


def main() -> None:
    """Take the rounds in turn; every log is deleted at the end of the run."""
    with contextlib.ExitStack() as stack:
        measures: dict[str, Callable[[], None]] = {BASE: redirected}
        running = [kind() for kind in at_hand() if kind.can("write")]
        for peer in running:
            measures[peer.name] = stack.enter_context(peer).write
        if program := cache.find("GNU parallel"):
            measures["GNU parallel"] = partial(grouped, str(program.program))
        rates: dict[str, list[float]] = {name: [] for name in measures}
        for _ in range(ROUNDS):
            for name, measure in measures.items():
                rates[name].append(BYTES / 1e6 / timed(measure))
        notes = {peer.name: f"{peer.lost:,} bytes of {ROUNDS * BYTES:,} were lost" for peer in running if peer.lost}
    figures = [
        Figure(name, "MB/s", values, over(values, rates[BASE]), note=notes.get(name, ""))
        for name, values in rates.items()
    ]
    report("output", figures)
    pictures.write("output", pictures.rates("200 MB of output from one agent, MB a second until kept", figures))


if __name__ == "__main__":
    main()
