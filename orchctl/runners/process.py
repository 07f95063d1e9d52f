"""The agent's own CLI as a process: started, read to its end, and its end waited for."""

from __future__ import annotations

import fcntl
import os
import select
import signal
import struct
import subprocess
import termios
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

_CHUNK = 1 << 16
_HEEDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_OWN_TIME = 1.0  # seconds before a signal is passed on: the daemon signals the whole tree, and twice is rude


class Ended(NamedTuple):
    """How it ended: its exit code as a shell reports it, and the signal that we were given meanwhile."""

    code: int
    stopped_by: int | None


def run(argv: Sequence[str], env: Mapping[str, str], stdin: int, hear: Callable[[bytes], None] | None) -> Ended:
    """Run it to its end; `hear` gets all that it puts out, or it writes straight to our own stdout.

    Raises OSError when there is no such program.
    """
    stopped: list[int] = []
    stdout = None if hear is None else subprocess.PIPE
    with _heeding(stopped) as watched, subprocess.Popen(argv, env=env, stdin=stdin, stdout=stdout) as child:
        watched.append(child)
        if hear is not None and child.stdout is not None:
            _read(child, child.stdout.fileno(), hear)
        code = child.wait()
    return Ended(128 - code if code < 0 else code, stopped[0] if stopped else None)


@contextmanager
def _heeding(stopped: list[int]) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Note signals instead of dying of them; pass one on only if the process does not end by itself."""
    watched: list[subprocess.Popen[bytes]] = []

    def note(number: int, _: object) -> None:
        stopped.append(number)
        signal.setitimer(signal.ITIMER_REAL, _OWN_TIME)

    def pass_on(_: int, __: object) -> None:
        for child in watched:
            child.send_signal(stopped[0])

    before = {number: signal.signal(number, note) for number in _HEEDED}
    before[signal.SIGALRM] = signal.signal(signal.SIGALRM, pass_on)
    try:
        yield watched
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        for number, handler in before.items():
            signal.signal(number, handler)


def _read(child: subprocess.Popen[bytes], stdout: int, hear: Callable[[bytes], None]) -> None:
    """All that it puts out, up to its end: what it leaves behind may keep the pipe open for ever."""
    ended = os.pidfd_open(child.pid)
    poll = select.poll()
    poll.register(stdout, select.POLLIN)
    poll.register(ended, select.POLLIN)
    try:
        while ended not in (ready := dict(poll.poll())):
            if stdout in ready:
                if data := os.read(stdout, _CHUNK):
                    hear(data)
                else:
                    poll.unregister(stdout)
        if left := _waiting(stdout):
            hear(os.read(stdout, left))
    finally:
        os.close(ended)


def _waiting(pipe: int) -> int:
    """How many bytes are in a pipe: no more than it holds."""
    (size,) = struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, b"\0" * 4))
    return int(size)
