"""Where output is read from: a file of this machine, or another machine, piece by piece. What a log of bounded length
left out is told, and never read as zeros."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from orchd.wire import gaps, opening

if TYPE_CHECKING:
    from orchctl.faroutput import FarOutput


class Source(Protocol):
    """The output of one attempt, opened."""

    def size(self) -> int:
        """How many bytes it has, those that were left out among them."""

    def read(self, position: int, count: int) -> tuple[bytes, gaps.Gap | None]:
        """At most `count` bytes from `position` on, none of a gap, and the first gap that reaches behind `position`."""

    def close(self) -> None:
        """Read no more."""


class File:
    """A file of this machine. It stays open, so it may be unlinked meanwhile."""

    def __init__(self, path: Path) -> None:
        self._file = opening.open_file(path, os.O_RDONLY)

    def size(self) -> int:
        """How many bytes it has."""
        return os.fstat(self._file).st_size

    def read(self, position: int, count: int) -> tuple[bytes, gaps.Gap | None]:
        """What is there, and the next gap."""
        return gaps.read(self._file, position, count)

    def close(self) -> None:
        """Read no more."""
        os.close(self._file)


def opened(output: Path | FarOutput) -> Source:
    """It, to be read. Raises OSError where the file is not there."""
    return File(output) if isinstance(output, Path) else output
