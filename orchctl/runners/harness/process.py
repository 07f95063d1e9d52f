"""Runs an agent's CLI as a process: its output, the signals that end it, and its exit."""

from __future__ import annotations

import fcntl
import os
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

_CHUNK = 1 << 16
_STDERR = 2
_CAUGHT = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_KILL_AFTER = 2.0  # seconds from SIGTERM to SIGKILL for a CLI that does not exit
_INTERRUPTED = 2.0  # seconds from SIGINT to SIGTERM for a CLI that reports its usage on SIGINT
_OWN_TIME = 1.0  # seconds before a signal is passed on: the daemon signals the whole tree, so the CLI has it already


class Ended(NamedTuple):
    """How the CLI ended: its exit code as a shell reports it, the signal that this process received meanwhile, and
    whether the CLI was killed because it did not exit."""

    code: int
    stopped_by: int | None
    is_overdue: bool = False


Patience = Callable[[int], float | None]
"""Called with the pid after each piece of output: returns in how many seconds without more output the CLI must exit."""


def run(
    argv: Sequence[str],
    env: Mapping[str, str],
    stdin: int,
    hear: Callable[[bytes], None] | None,
    patience: Patience = lambda _: None,
    hear_error: Callable[[bytes], None] | None = None,
    end_rest: Callable[[], None] | None = None,
) -> Ended:
    """Run the CLI to its end; `hear` gets all its output. Without `hear` the CLI writes to the runner's own stdout.

    Likewise `hear_error` for its standard error, if `hear` is given. With `end_rest`, a SIGTERM reaches this process
    alone: the CLI gets SIGINT, and if it is still running, SIGTERM, and `end_rest` is called for the processes that
    it has started.

    Raises OSError when there is no such program.
    """
    is_overdue = False
    stopped: list[int] = []
    stdout = None if hear is None else subprocess.PIPE
    stderr = None if hear_error is None else subprocess.PIPE
    with (
        _catching_signals(stopped, end_rest) as watched,
        subprocess.Popen(argv, env=env, stdin=stdin, stdout=stdout, stderr=stderr) as child,
    ):
        watched.append(child)
        pipes = {}
        for pipe, listener in ((child.stdout, hear), (child.stderr, hear_error)):
            if pipe is not None and listener is not None:
                pipes[pipe.fileno()] = listener
        if hear is not None:
            is_overdue = _read(child, pipes, _Deadline(child, patience, None if hear_error else _STDERR))
        code = child.wait()
    return Ended(128 - code if code < 0 else code, stopped[0] if stopped else None, is_overdue)


@contextmanager
def _catching_signals(
    stopped: list[int], end_rest: Callable[[], None] | None = None
) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Record signals; the first is passed on only if the process does not end by itself."""
    watched: list[subprocess.Popen[bytes]] = []

    def note(number: int, _: object) -> None:
        stopped.append(number)
        is_first = end_rest is not None and stopped == [signal.SIGTERM]
        for child in watched if is_first else ():
            child.send_signal(signal.SIGINT)
        signal.setitimer(signal.ITIMER_REAL, _INTERRUPTED if is_first else _OWN_TIME)

    def pass_on(_: int, __: object) -> None:
        for child in watched:
            child.send_signal(stopped[0])
        if end_rest is not None:
            end_rest()

    before = {number: signal.signal(number, note) for number in _CAUGHT}
    before[signal.SIGALRM] = signal.signal(signal.SIGALRM, pass_on)
    try:
        yield watched
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        for number, handler in before.items():
            signal.signal(number, handler)


class _Deadline:
    """The time by which the CLI must exit; then it is ended by SIGTERM, and two seconds later by SIGKILL.

    `log` is the descriptor to which the CLI writes its standard error directly. That counts as output too, by the size
    of the file. A pipe in its place would break for processes that outlive the CLI.
    """

    def __init__(self, child: subprocess.Popen[bytes], patience: Patience, log: int | None) -> None:
        self._child = child
        self._patience = patience
        self._log = log
        self._size = 0  # of the log
        self._at: float | None = None  # monotonic
        self._signals = [signal.SIGKILL, signal.SIGTERM]  # the last first
        self.has_come = False

    def left(self) -> float | None:
        """Return the milliseconds left, for poll(2); None without a deadline."""
        return None if self._at is None else max(0.0, self._at - time.monotonic()) * 1000

    def heard(self) -> None:
        """Restart the time after output, unless it has elapsed."""
        if not self.has_come:
            seconds = self._patience(self._child.pid)
            self._at = None if seconds is None else time.monotonic() + seconds
            if self._log is not None:
                self._size = os.fstat(self._log).st_size

    def keep(self) -> None:
        """Signal the CLI when its time has elapsed."""
        if self._at is None or time.monotonic() < self._at:
            return
        seconds = None if self.has_come else self._patience(self._child.pid)
        if self._log is not None and seconds is not None and (log := os.fstat(self._log)).st_size != self._size:
            # the log has grown, so that the time began anew with its last change
            self._size = log.st_size
            passed = max(0.0, time.clock_gettime(time.CLOCK_REALTIME) - log.st_mtime)
            self._at = time.monotonic() + seconds - passed
            if passed < seconds:
                return
        self.has_come = True
        self._child.send_signal(self._signals.pop())
        self._at = time.monotonic() + _KILL_AFTER if self._signals else None


def _read(child: subprocess.Popen[bytes], pipes: Mapping[int, Callable[[bytes], None]], deadline: _Deadline) -> bool:
    """Read all output until the CLI exits: processes that it leaves behind may keep a pipe open.

    Returns whether the CLI had to be killed.
    """
    ended = os.pidfd_open(child.pid)
    poll = select.poll()
    for descriptor in (*pipes, ended):
        poll.register(descriptor, select.POLLIN)
    try:
        while ended not in (ready := dict(poll.poll(deadline.left()))):
            for pipe in ready:
                if data := os.read(pipe, _CHUNK):
                    pipes[pipe](data)
                    deadline.heard()
                else:
                    poll.unregister(pipe)
            deadline.keep()
        for pipe, hear in pipes.items():
            # how many bytes are in a pipe: no more than it holds
            (size,) = struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, b"\0" * 4))
            if left := int(size):
                hear(os.read(pipe, left))
        return deadline.has_come
    finally:
        os.close(ended)
