"""Sources of output: a file on this machine, or the daemon of another machine, read in pieces.

The omitted middle of a log of limited length is reported as a gap, and never read as zeros.
"""

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


class LogSource(Protocol):
    """The output of one attempt, open for reading."""

    def size(self) -> int:
        """Return the number of bytes, including omitted bytes."""

    def read(self, position: int, count: int) -> tuple[bytes, sparse.Hole | None]:
        """Return at most `count` bytes from `position`, none of a gap, and the first gap that ends after `position`."""

    def close(self) -> None:
        """Close the source."""


class LocalLog:
    """A file on this machine. It stays open, so it may be unlinked meanwhile."""

    def __init__(self, path: Path) -> None:
        self._file = opening.open_file(path, os.O_RDONLY)

    def size(self) -> int:
        """Return the number of bytes."""
        return os.fstat(self._file).st_size

    def read(self, position: int, count: int) -> tuple[bytes, sparse.Hole | None]:
        """Return the bytes there, and the next gap."""
        return sparse.read(self._file, position, count)

    def close(self) -> None:
        """Close the source."""
        os.close(self._file)


class RemoteLog:
    """Output on another machine. Each piece is a request of its own, so nothing is held open."""

    def __init__(self, client: Client, agent: str, attempt: int) -> None:
        self._client = client
        self._args = {"id": agent, "attempt": attempt}

    def size(self) -> int:
        """Return the number of bytes."""
        return int(self._piece(-1, 1)["size"])

    def read(self, position: int, count: int) -> tuple[bytes, sparse.Hole | None]:
        """Return the bytes there, and the next gap."""
        piece = self._piece(position, min(count, remote_operations.MOST_BYTES))
        return piece["data"], sparse.Hole(*piece["gap"]) if piece["gap"] else None

    def close(self) -> None:
        """Do nothing: nothing is held open."""

    def _piece(self, offset: int, count: int) -> dict[str, Any]:
        return self._client.call("output", {**self._args, "offset": offset, "count": count})


def output_of(client: Client, agent: str, attempt: int, path: str) -> Path | RemoteLog:
    """Return what `opened` takes for the output of an attempt: the file `path`, or a source on another machine."""
    return Path(path) if isinstance(client.target, Home) else RemoteLog(client, agent, attempt)


def open_source(output: Path | RemoteLog) -> LogSource:
    """Return the output as a source. Raises OSError where the file does not exist."""
    return LocalLog(output) if isinstance(output, Path) else output
