"""A stream cut into lines, in bounded memory: of a line that is too long the beginning is kept and the rest let go."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

LONGEST = 4 << 20  # bytes of a line: a whole answer of a model is not a tenth of it
_HEAD = 200  # bytes kept of a line that is longer


class Line(NamedTuple):
    """A line without its end. `size` is what it had; more than there is when the rest was let go."""

    data: bytes
    size: int

    @property
    def is_whole(self) -> bool:
        """Whether all of it is there."""
        return self.size == len(self.data)


class Lines:
    """Makes lines of the pieces that it is given."""

    def __init__(self, longest: int = LONGEST) -> None:
        self._longest = longest
        self._begun = bytearray()
        self._size = 0

    def feed(self, data: bytes) -> Iterator[Line]:
        """The lines that are complete now."""
        *ended, rest = data.split(b"\n")
        for piece in ended:
            self._add(piece)
            yield self._taken()
        self._add(rest)

    def last(self) -> Iterator[Line]:
        """The line that never got its end, if there is one."""
        if self._size:
            yield self._taken()

    def _add(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size <= self._longest:
            self._begun += piece
        elif len(self._begun) != _HEAD:
            self._begun = (self._begun + piece)[:_HEAD]

    def _taken(self) -> Line:
        line = Line(bytes(self._begun), self._size)
        self._begun, self._size = bytearray(), 0
        return line
