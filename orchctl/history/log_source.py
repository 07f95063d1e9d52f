"""Where output is read from: a file of this machine, or another machine, piece by piece. What a log of bounded length
left out is told, and never read as zeros."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from orchd.instance.home import Home
from orchd.instance.system import open_file as opening
from orchd.instance.system import sparse
from orchd.protocol import remote_operations

if TYPE_CHECKING:
    from orchctl.client import Client


class Source(Protocol):
    """The output of one attempt, opened."""

    def size(self) -> int:
        """How many bytes it has, those that were left out among them."""

    def read(self, position: int, count: int) -> tuple[bytes, sparse.Gap | None]:
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

    def read(self, position: int, count: int) -> tuple[bytes, sparse.Gap | None]:
        """What is there, and the next gap."""
        return sparse.read(self._file, position, count)

    def close(self) -> None:
        """Read no more."""
        os.close(self._file)


class FarOutput:
    """A source of pieces: each is asked for by itself, so nothing is held open."""

    def __init__(self, client: Client, agent: str, attempt: int) -> None:
        self._client = client
        self._asked = {"id": agent, "attempt": attempt}

    def size(self) -> int:
        """How many bytes it has."""
        return int(self._piece(-1, 1)["size"])

    def read(self, position: int, count: int) -> tuple[bytes, sparse.Gap | None]:
        """What is there, and the next gap."""
        piece = self._piece(position, min(count, remote_operations.MOST_BYTES))
        return piece["data"], sparse.Gap(*piece["gap"]) if piece["gap"] else None

    def close(self) -> None:
        """There is nothing to give back."""

    def _piece(self, offset: int, count: int) -> dict[str, Any]:
        return self._client.call("output", {**self._asked, "offset": offset, "count": count})


def output_of(client: Client, agent: str, attempt: int, path: str) -> Path | FarOutput:
    """Return what opens the output of an attempt: the file `path`, or its source on another machine."""
    return Path(path) if isinstance(client.target, Home) else FarOutput(client, agent, attempt)


def opened(output: Path | FarOutput) -> Source:
    """It, to be read. Raises OSError where the file is not there."""
    return File(output) if isinstance(output, Path) else output
