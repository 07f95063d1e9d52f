"""Follows a growing log: its last lines, its new bytes, and a descriptor for changes (inotify(7))."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from orchctl.history.log_source import LogSource, open_source
from orchd.instance.system import inotify, sparse

if TYPE_CHECKING:
    from orchctl.history.log_source import RemoteLog

_BLOCK = 1 << 16
SHORTENED = b"[orchd: the file was made shorter; it goes on from its beginning]\n"


class FollowedLog:
    """The output of one attempt, read from the beginning or from its last lines.

    Where the middle of the output was left out, a line of orchd reports how many bytes. Another line reports that
    the file has become shorter than the part that was read, as by `copytruncate` of logrotate: then it is read from its
    beginning.
    """

    def __init__(self, output: Path | RemoteLog, lines: int | None = None) -> None:
        self._source = open_source(output)
        self._position = 0 if lines is None else _start_of_last(self._source, lines)
        self._is_inside_line = False

    def close(self) -> None:
        """Close the source of the output."""
        self._source.close()

    def copy(self, sink: BinaryIO) -> None:
        """Write the bytes that are new since the last call to `sink`."""
        is_more = True
        while is_more:
            block, gap = self._source.read(self._position, _BLOCK)
            if not block and gap is None and self._source.size() < self._position:
                sink.write(b"\n" * self._is_inside_line + SHORTENED)
                self._position, self._is_inside_line = 0, False
                continue
            if block:
                sink.write(block)
                self._is_inside_line = not block.endswith(b"\n")
            self._position += len(block)
            is_more = bool(block)
            if gap is not None and gap.start == self._position:
                sink.write(b"\n" * self._is_inside_line + left_out(gap))
                self._position, self._is_inside_line, is_more = gap.end, False, True
        sink.flush()


def left_out(gap: sparse.Hole) -> bytes:
    """Return the line that is written in place of a gap."""
    return f"[orchd: {gap.end - gap.start:,} bytes omitted here]\n".encode()


class FileChanges:
    """A file descriptor, `fd`, that is readable when a watched file has grown."""

    def __init__(self) -> None:
        self._inotify = inotify.Inotify()
        self.fd = self._inotify.fileno()

    def watch(self, path: Path) -> None:
        """Watch this file too."""
        self._inotify.watch(path, inotify.MODIFY)

    def close(self) -> None:
        """Close the descriptor."""
        self._inotify.close()

    def drain(self) -> None:
        """Discard the changes reported so far; read the files after this call."""
        while self._inotify.events():
            pass


def _start_of_last(source: LogSource, lines: int) -> int:
    """Return where the last `lines` lines begin, read backwards block by block; of a gap nothing is read."""
    end = source.size()
    if lines == 0 or end == 0:
        return end
    gap = source.read(0, 1)[1] or sparse.Hole(0, 0)
    # a newline at the very end finishes the last line and does not begin another
    wanted = lines + (source.read(end - 1, 1)[0] == b"\n")
    position = end
    while position > 0:
        start = max(0, position - _BLOCK)
        is_across = start < gap.end <= position
        start = gap.end if is_across else start
        block = source.read(start, position - start)[0]
        newlines = block.count(b"\n")
        if newlines >= wanted:
            index = len(block)
            for _ in range(wanted):
                index = block.rindex(b"\n", 0, index)
            return start + index + 1
        wanted, position = wanted - newlines, gap.start if is_across else start
    return 0
