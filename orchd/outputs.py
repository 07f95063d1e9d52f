"""Pieces of what attempts put out, for whoever cannot open the file."""

from __future__ import annotations

import os
import stat
from typing import NamedTuple

from orchd.wire import WireError
from orchd.wire.gaps import Gap, read

_LAST = 1 << 62  # no file has as many bytes, and no file system takes a much greater number


class Piece(NamedTuple):
    """Some bytes of a file, where they begin, how many it has, and the first gap behind their beginning."""

    offset: int
    data: bytes
    size: int
    gap: Gap | None


def piece(path: str, offset: int, count: int) -> Piece:
    """At most `count` bytes from `offset` on; below 0 it counts from the end. Raises WireError `no-log`."""
    # the file lies where agents may write: one that put a pipe or a link in its place must not hold us up
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise WireError("no-log", f"the output {path} cannot be read: {error.strerror}") from None
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise WireError("no-log", f"the output {path} cannot be read: it is no file any more")
        start = max(0, found.st_size + offset) if offset < 0 else min(offset, _LAST)
        data, gap = read(descriptor, start, count)
        return Piece(start, data, found.st_size, gap)
    finally:
        os.close(descriptor)
