"""Dask: a cluster of seven workers of one thread, in a process with its own Python that reads commands."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import ClassVar

from benchmarks.peers.base import Peer, kill
from benchmarks.peers.cache import program


class Dask(Peer):
    """Dask does not acknowledge a submit: the result of the task counts as the acknowledgement."""

    name = "Dask"
    needs: ClassVar[tuple[str, ...]] = ("Dask",)
    note = "7 workers, one client"
    many = 1000
    lists: ClassVar[tuple[int, ...]] = ()

    def __init__(self) -> None:
        super().__init__()
        self.env["PYTHONSAFEPATH"] = "1"  # there is a dask.py beside the script
        self.side: subprocess.Popen[str] | None = None

    def begin(self) -> None:
        words = [program("Dask"), str(Path(__file__).parent / "dask_side.py")]
        self.side = subprocess.Popen(
            words,
            env=self.env,
            cwd=self.directory,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._answered()

    def end(self) -> None:
        if self.side is not None:
            kill(self.processes)  # its workers hold the pipe too
            self.side.wait()

    def tell(self, *words: object) -> None:
        """Send one line and return its answer."""
        assert self.side
        assert self.side.stdin
        self.side.stdin.write(" ".join(map(str, words)) + "\n")
        self.side.stdin.flush()
        self._answered()

    def _answered(self) -> None:
        assert self.side
        assert self.side.stdout
        if self.side.stdout.readline() != "done\n":
            raise SystemExit("Dask did not answer")

    def run(self, count: int) -> None:
        self.tell("run", count)

    def submit(self) -> None:
        self.tell("run", 1)
