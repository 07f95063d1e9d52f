"""Splitting a stream into lines in bounded memory: of a line that is too long only the beginning is kept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

LONGEST = 4 << 20  # bytes of a line: a whole answer of a model is not a tenth of it
_HEAD = 200  # bytes kept of a line that is longer


class OutputLine(NamedTuple):
    """A line without its newline. `size` is its full size, more than `data` has when the rest was dropped."""

    data: bytes
    size: int

    @property
    def is_whole(self) -> bool:
        """Whether `data` is the complete line."""
        return self.size == len(self.data)


class Lines:
    """Joins the pieces of a stream and splits them into lines."""

    def __init__(self, longest: int = LONGEST) -> None:
        self._longest = longest
        self._begun = bytearray()
        self._size = 0

    def feed(self, data: bytes) -> Iterator[OutputLine]:
        """Add a piece and return the lines that it completes."""
        *ended, rest = data.split(b"\n")
        for piece in ended:
            self._add(piece)
            yield self._take()
        self._add(rest)

    def last(self) -> Iterator[OutputLine]:
        """Return the last line if the stream ended without a newline."""
        if self._size:
            yield self._take()

    def _add(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size <= self._longest:
            self._begun += piece
        elif len(self._begun) != _HEAD:
            self._begun = (self._begun + piece)[:_HEAD]

    def _take(self) -> OutputLine:
        line = OutputLine(bytes(self._begun), self._size)
        self._begun, self._size = bytearray(), 0
        return line
