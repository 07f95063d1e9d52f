"""A log file as it grows: its last lines, what is new, and a descriptor that says when to look (inotify(7))."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from orchctl.history.log_source import Source, opened
from orchd.instance.system import inotify, sparse

if TYPE_CHECKING:
    from orchctl.history.log_source import FarOutput

_BLOCK = 1 << 16
SHORTENED = b"[orchd: the file was made shorter; it goes on from its beginning]\n"


class Log:
    """One output, read from the beginning or from its last lines.

    Where the middle of it was left out, a line of ours says how many bytes that were; another one that the file has
    become shorter than what was read of it, as by `copytruncate` of logrotate: then it is read from its beginning.
    """

    def __init__(self, output: Path | FarOutput, lines: int | None = None) -> None:
        self._source = opened(output)
        self._position = 0 if lines is None else _start_of_last(self._source, lines)
        self._is_inside_line = False

    def close(self) -> None:
        """Read no more."""
        self._source.close()

    def copy(self, sink: BinaryIO) -> None:
        """Write all that is new, byte for byte."""
        is_more = True
        while is_more:
            block, gap = self._source.read(self._position, _BLOCK)
            if not block and gap is None and self._source.size() < self._position:
                sink.write(b"\n" * self._is_inside_line + SHORTENED)
                self._position, self._is_inside_line = 0, False
                continue
            self._put(sink, block)
            self._position += len(block)
            is_more = bool(block)
            if gap is not None and gap.start == self._position:
                sink.write(b"\n" * self._is_inside_line + left_out(gap))
                self._position, self._is_inside_line, is_more = gap.end, False, True
        sink.flush()

    def _put(self, sink: BinaryIO, block: bytes) -> None:
        if block:
            sink.write(block)
            self._is_inside_line = not block.endswith(b"\n")


def left_out(gap: sparse.Gap) -> bytes:
    """The line that stands for a gap."""
    return f"[orchd: {gap.end - gap.start:,} bytes were left out here]\n".encode()


class Changes:
    """A descriptor that can be read when a watched file has grown."""

    def __init__(self) -> None:
        self._inotify = inotify.Inotify()
        self.fd = self._inotify.fileno()

    def watch(self, path: Path) -> None:
        """Look at this file too."""
        self._inotify.watch(path, inotify.MODIFY)

    def close(self) -> None:
        """Watch no more."""
        self._inotify.close()

    def drain(self) -> None:
        """Forget what was said; look at the file after this, not before."""
        while self._inotify.events():
            pass


def _start_of_last(source: Source, lines: int) -> int:
    """Where the last `lines` lines begin, found from the end block by block; of a gap nothing is read."""
    end = source.size()
    if lines == 0 or end == 0:
        return end
    gap = source.read(0, 1)[1] or sparse.Gap(0, 0)
    # a newline at the very end finishes the last line and does not begin another
    wanted = lines + (source.read(end - 1, 1)[0] == b"\n")
    position = end
    while position > 0:
        start = max(0, position - _BLOCK)
        is_across = start < gap.end <= position
        start = gap.end if is_across else start
        block = source.read(start, position - start)[0]
        found = block.count(b"\n")
        if found >= wanted:
            return start + _nth_from_end(block, wanted) + 1
        wanted, position = wanted - found, gap.start if is_across else start
    return 0


def _nth_from_end(block: bytes, count: int) -> int:
    index = len(block)
    for _ in range(count):
        index = block.rindex(b"\n", 0, index)
    return index
