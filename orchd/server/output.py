"""Pieces of logs, for clients that cannot open the file."""

from __future__ import annotations

import os
from typing import NamedTuple

from orchd.instance.system.open_file import open_file
from orchd.instance.system.sparse import Hole, read
from orchd.protocol.errors import WireError

_LAST = 1 << 62  # no file has as many bytes, and no file system takes a much greater number


class Piece(NamedTuple):
    """Some bytes of a file, their offset, the size of the file, and the first gap behind the offset."""

    offset: int
    data: bytes
    size: int
    gap: Hole | None


def piece(path: str, offset: int, count: int) -> Piece:
    """Read at most `count` bytes from `offset` on; below 0 it counts from the end. Raises WireError `no-log`."""
    try:
        descriptor = open_file(path, os.O_RDONLY)
    except OSError as error:
        raise WireError("no-log", f"cannot read the output {path}: {error.strerror}") from None
    try:
        size = os.fstat(descriptor).st_size
        start = max(0, size + offset) if offset < 0 else min(offset, _LAST)
        data, gap = read(descriptor, start, count)
        return Piece(start, data, size, gap)
    finally:
        os.close(descriptor)
