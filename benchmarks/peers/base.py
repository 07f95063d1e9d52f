"""The requests to every peer with a daemon, and how its processes are found."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import ClassVar, Self

from benchmarks.peers import cache

MARK = "ORCHD_BENCH_PEER"
LIMIT, PATIENCE = 7, 60.0
ROUNDS_OF_KILLING = 100  # a zombie that nobody reaps shows no environment, so this is never reached
BYTES = 200_000_000
WRITER = [sys.executable, "-I", "-S", str(Path(__file__).parent / "writer.py"), str(BYTES)]


class Peer:
    """A daemon of a peer, in a directory of its own, from `with` to its end."""

    name: ClassVar[str] = ""
    needs: ClassVar[tuple[str, ...]] = ()  # names in cache.SOURCES
    note: ClassVar[str] = ""
    many: ClassVar[int] = 0  # how many short programs in a round of throughput; what is slow gets fewer
    lists: ClassVar[tuple[int, ...]] = (0,)  # how many tasks it is made to know of, for its list

    def __init__(self) -> None:
        self.lost = 0  # bytes of output
        self.directory = Path(tempfile.mkdtemp(prefix="orchd-bench-peer-"))
        inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        self.env = {**inherited, MARK: self.directory.name}

    @classmethod
    def is_at_hand(cls) -> bool:
        """Return whether everything that the peer needs is available."""
        return None not in [cache.find(name) for name in cls.needs]

    @classmethod
    def can(cls, verb: str) -> bool:
        """Return whether the peer has its own way to do so."""
        return getattr(cls, verb) is not getattr(Peer, verb)

    def __enter__(self) -> Self:
        try:
            self.begin()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.end()
        finally:
            kill(self.processes)
            shutil.rmtree(self.directory, ignore_errors=True)

    def begin(self) -> None:
        """Start the daemon and return when it answers."""

    def end(self) -> None:
        """End the daemon in its own way; leftovers are killed afterwards."""

    def run(self, count: int) -> None:
        """Submit `count` short programs and return when they have ended."""

    def prepare(self, count: int) -> list[Path]:
        """Make and return `count` directories to work in."""
        directories = [self.directory / "work" / str(number) for number in range(count)]
        for directory in directories:
            directory.mkdir(parents=True)
        return directories

    def run_different(self, directories: Sequence[Path]) -> None:
        """Submit a short program for each directory, with a variable of its own, and return when all have ended."""

    def submit(self) -> None:
        """Submit one program over an open connection and return when the daemon acknowledges it."""

    def submission(self) -> list[str]:
        """Return the peer's own client command that submits a program."""
        return []

    def know(self, count: int) -> None:
        """Add `count` tasks that are done to the daemon's history."""

    def listing(self) -> list[str]:
        """Return the peer's own client command that lists tasks."""
        return []

    def hold(self, count: int) -> None:
        """Keep `count` idle programs alive."""

    def write(self) -> None:
        """Run WRITER and return when it has ended and its whole output is kept."""

    def ctl(self, words: list[str]) -> None:
        """Run a client of the peer, which must succeed."""
        subprocess.run(words, env=self.env, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def processes(self) -> list[int]:
        """Return all living processes with the peer's mark."""
        return marked(f"{MARK}={self.directory.name}")


def marked(mark: str) -> list[int]:
    """Return the processes with this mark in their environment, without this process."""
    expected, pids = mark.encode(), []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            environment = Path(f"/proc/{name}/environ").read_bytes()
        except OSError:
            continue
        if expected in environment.split(b"\0") and int(name) != os.getpid():
            pids.append(int(name))
    return pids


def kill(find: Callable[[], Iterable[int]]) -> None:
    """`kill -9` all processes that `find` finds, until it finds none: a process may have forked meanwhile."""
    for _ in range(ROUNDS_OF_KILLING):
        pids = list(find())
        if not pids:
            return
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        rest(0.01)


def rest(seconds: float) -> None:
    """Wait for a time, not for a condition."""
    select.select([], [], [], seconds)


def until(is_so: Callable[[], bool], what: str, pause: float = 0.005) -> None:
    """Return when `is_so` returns true; a peer without notifications must be polled."""
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        if time.monotonic() > deadline:
            raise SystemExit(f"waited {PATIENCE:g} s for {what}")
        rest(pause)
