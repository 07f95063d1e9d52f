"""Pieces of what attempts put out, for whoever cannot open the file."""

from __future__ import annotations

import os
from typing import NamedTuple

from orchd.instance.system.open_file import open_file
from orchd.instance.system.sparse import Hole, read
from orchd.protocol.errors import WireError

_LAST = 1 << 62  # no file has as many bytes, and no file system takes a much greater number


class Piece(NamedTuple):
    """Some bytes of a file, where they begin, how many it has, and the first gap behind their beginning."""

    offset: int
    data: bytes
    size: int
    gap: Hole | None


def piece(path: str, offset: int, count: int) -> Piece:
    """At most `count` bytes from `offset` on; below 0 it counts from the end. Raises WireError `no-log`."""
    try:
        descriptor = open_file(path, os.O_RDONLY)
    except OSError as error:
        raise WireError("no-log", f"the output {path} cannot be read: {error.strerror}") from None
    try:
        size = os.fstat(descriptor).st_size
        start = max(0, size + offset) if offset < 0 else min(offset, _LAST)
        data, gap = read(descriptor, start, count)
        return Piece(start, data, size, gap)
    finally:
        os.close(descriptor)
