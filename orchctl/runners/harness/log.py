"""What a runner lets people read, on its standard output: the attempt's log."""

from __future__ import annotations

import os
import select
import stat
from collections.abc import Iterable

from orchctl.render.text import file_line

_PATIENCE = 10.0  # seconds that a reader may take its time
_PIECE = 4096  # bytes that go into a pipe at once when it takes any (PIPE_BUF)
_SHOWN = 160  # characters of what is only mentioned


class Log:
    """Lines of text. It never fails: when nobody takes them any more they are let go, and the agent goes on."""

    def __init__(self, descriptor: int = 1) -> None:
        self._descriptor: int | None = descriptor
        try:
            self._may_block = not stat.S_ISREG(os.fstat(descriptor).st_mode)
        except OSError:
            self._descriptor = None

    def say(self, text: str, indent: str = "") -> None:
        """Write `text` line by line, without what a terminal would obey."""
        lines = text.rstrip().split("\n")
        self.write("".join(f"{indent}{file_line(line)}\n" for line in lines).encode(errors="replace"))

    def write(self, data: bytes) -> None:
        """Write these bytes as they are."""
        while data and self._descriptor is not None:
            try:
                data = data[self._written(self._descriptor, data) :]
            except OSError:  # a full disk, a reader that has gone: the log ends here, the agent does not
                self._descriptor = None

    def _written(self, descriptor: int, data: bytes) -> int:
        if not self._may_block:
            return os.write(descriptor, data)
        poll = select.poll()
        poll.register(descriptor, select.POLLOUT)
        if not poll.poll(_PATIENCE * 1000):
            raise TimeoutError
        return os.write(descriptor, data[:_PIECE])


def short(text: str) -> str:
    """`text` on one line that is not long."""
    line = " ".join(text[: 4 * _SHOWN].split())
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 3]}..."


def first(values: Iterable[object]) -> str:
    """The first that is a text and says something."""
    return next((value for value in values if isinstance(value, str) and value), "")
