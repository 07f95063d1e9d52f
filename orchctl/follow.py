"""A log file as it grows: its last lines, what is new, and a descriptor that says when to look (inotify(7))."""

from __future__ import annotations

import contextlib
import ctypes
import os
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from orchctl.faroutput import FarOutput

_BLOCK = 1 << 16
_IN_MODIFY = 0x2


class Log:
    """One file, read from the beginning or from its last lines. It stays open, so it may be unlinked meanwhile."""

    def __init__(self, path: Path | FarOutput, lines: int | None = None) -> None:
        self._file = path.open("rb")
        if lines is not None:
            self._file.seek(_start_of_last(self._file, lines))

    def close(self) -> None:
        """Read no more."""
        self._file.close()

    def copy(self, sink: BinaryIO) -> None:
        """Write all that is new, byte for byte."""
        while block := self._file.read(_BLOCK):
            sink.write(block)
        sink.flush()


class Changes:
    """A descriptor that can be read when a watched file has grown."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self.fd = _checked(self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))

    def watch(self, path: Path) -> None:
        """Look at this file too."""
        _checked(self._libc.inotify_add_watch(self.fd, os.fsencode(path), _IN_MODIFY))

    def close(self) -> None:
        """Watch no more."""
        os.close(self.fd)

    def drain(self) -> None:
        """Forget what was said; look at the file after this, not before."""
        with contextlib.suppress(BlockingIOError):
            while True:
                os.read(self.fd, _BLOCK)


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def _start_of_last(file: BinaryIO, lines: int) -> int:
    """Where the last `lines` lines begin, found from the end block by block."""
    end = file.seek(0, os.SEEK_END)
    if lines == 0 or end == 0:
        return end
    file.seek(end - 1)
    # a newline at the very end finishes the last line and does not begin another
    wanted = lines + (file.read(1) == b"\n")
    position = end
    while position > 0:
        start = max(0, position - _BLOCK)
        file.seek(start)
        block = file.read(position - start)
        found = block.count(b"\n")
        if found >= wanted:
            return start + _nth_from_end(block, wanted) + 1
        wanted, position = wanted - found, start
    return 0


def _nth_from_end(block: bytes, count: int) -> int:
    index = len(block)
    for _ in range(count):
        index = block.rindex(b"\n", 0, index)
    return index
