"""The log of an attempt, written to the runner's standard output."""

from __future__ import annotations

import os
import select
import stat
from collections.abc import Iterable

from orchctl.render.text import file_line

_PATIENCE = 10.0  # seconds to wait for a slow reader
_PIECE = 4096  # bytes that go into a pipe at once when it takes any (PIPE_BUF)
_SHORT = 160  # characters of a shortened text


class RunnerLog:
    """The log. Writing never fails: when it cannot be written, lines are dropped and the agent keeps running."""

    def __init__(self, descriptor: int = 1) -> None:
        self._descriptor: int | None = descriptor
        try:
            self._may_block = not stat.S_ISREG(os.fstat(descriptor).st_mode)
        except OSError:
            self._descriptor = None

    def say(self, text: str, indent: str = "") -> None:
        """Write `text` line by line, without control characters for a terminal."""
        lines = text.rstrip().split("\n")
        self.write("".join(f"{indent}{file_line(line)}\n" for line in lines).encode(errors="replace"))

    def write(self, data: bytes) -> None:
        """Write these bytes as they are."""
        while data and self._descriptor is not None:
            try:
                descriptor = self._descriptor
                if not self._may_block:
                    written = os.write(descriptor, data)
                else:
                    poll = select.poll()
                    poll.register(descriptor, select.POLLOUT)
                    if not poll.poll(_PATIENCE * 1000):
                        raise TimeoutError
                    written = os.write(descriptor, data[:_PIECE])
                data = data[written:]
            except OSError:  # a full disk, a reader that has gone: the log ends here, the agent does not
                self._descriptor = None


def short(text: str) -> str:
    """Return `text` shortened to one line."""
    line = " ".join(text[: 4 * _SHORT].split())
    return line if len(line) <= _SHORT else f"{line[: _SHORT - 3]}..."


def first(values: Iterable[object]) -> str:
    """Return the first value that is a text and not empty; an empty text when there is none."""
    return next((value for value in values if isinstance(value, str) and value), "")
