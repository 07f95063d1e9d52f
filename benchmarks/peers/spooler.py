"""task-spooler: a server that its first client starts, and a client process for each task until that has ended."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from benchmarks.peers.base import LIMIT, WRITER, Peer, until
from benchmarks.peers.cache import program


class Spooler(Peer):
    """task-spooler, with its output in files, as by default."""

    name = "task-spooler"
    needs: ClassVar[tuple[str, ...]] = ("task-spooler",)
    note = "one client a task"
    many = 2000
    lists: ClassVar[tuple[int, ...]] = (0, 1000, 10_000)

    def __init__(self) -> None:
        super().__init__()
        self.tsp = program("task-spooler")
        self.env |= {"TS_SOCKET": f"{self.directory}/socket", "TS_MAXFINISHED": "20000", "TMPDIR": str(self.directory)}

    def begin(self) -> None:
        self.ctl([self.tsp, "-S", str(LIMIT)])

    def end(self) -> None:
        self.ctl([self.tsp, "-K"])

    def run(self, count: int) -> None:
        for _ in range(count):
            self.ctl(self.submission())
        self.drain()

    def run_different(self, directories: Sequence[Path]) -> None:
        for number, directory in enumerate(directories):
            env = {**self.env, "TASK": str(number)}
            subprocess.run(self.submission(), cwd=directory, env=env, check=True, stdout=subprocess.DEVNULL)
        self.drain()

    def drain(self) -> None:
        """Return when the queue is empty."""
        until(self._is_idle, "task-spooler to be done")

    def _is_idle(self) -> bool:
        """`-w` waits for the last submitted task, which need not be the last to end."""
        subprocess.run([self.tsp, "-w"], env=self.env, check=False, stderr=subprocess.DEVNULL)
        listed = subprocess.run([self.tsp, "-l"], env=self.env, check=True, capture_output=True, text=True).stdout
        return " running " not in listed and " queued " not in listed

    def submission(self) -> list[str]:
        return [self.tsp, "/bin/true"]

    def know(self, count: int) -> None:
        if count:
            self.run(count)

    def listing(self) -> list[str]:
        return [self.tsp, "-l"]

    def hold(self, count: int) -> None:
        self.ctl([self.tsp, "-S", str(count)])
        for _ in range(count):
            self.ctl([self.tsp, "sleep", "1000"])

    def write(self) -> None:
        self.ctl([self.tsp, *WRITER])
        subprocess.run([self.tsp, "-w"], env=self.env, check=True)
