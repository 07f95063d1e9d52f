"""Gaps in trimmed logs: the hole between head and tail, as the file system reports it."""

from __future__ import annotations

import errno
import os
from typing import NamedTuple


class Hole(NamedTuple):
    """A range of bytes that was punched out."""

    start: int
    end: int


def gap_after(descriptor: int, position: int) -> Hole | None:
    """Return the first gap that reaches behind `position`, from there to its end; None without one.

    It moves the descriptor's own position: read with `pread`.
    """
    size = os.fstat(descriptor).st_size
    if position >= size:
        return None
    try:
        start = os.lseek(descriptor, position, os.SEEK_HOLE)
        if start >= size:  # the kernel reports a hole at the end of every file
            return None
        return Hole(start, os.lseek(descriptor, start, os.SEEK_DATA))
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise
    return Hole(start, size)  # nothing but the gap is left, up to the end


def read(descriptor: int, position: int, count: int) -> tuple[bytes, Hole | None]:
    """Read at most `count` bytes from `position`, none of a gap, and the first gap that reaches behind it."""
    block = os.pread(descriptor, count, position)
    # looked at after it was read: what was punched out before that is zeros, and what was not is still good
    gap = gap_after(descriptor, position)
    return (block if gap is None else block[: max(0, gap.start - position)]), gap
