"""Limits the size of logs while they are written: holes are punched into the middle, head and tail stay.

A quiet agent causes no wakeups. A log is checked soon after its start and after each sign of writing; a log that did
not grow since is checked again only when inotify(7) reports a write.
"""

from __future__ import annotations

import ctypes
import logging
import os
import weakref
from collections.abc import Callable, Hashable
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

from orchd.instance.config import LOG_BYTES
from orchd.instance.system.inotify import DONT_FOLLOW, MODIFY, ONESHOT, Inotify
from orchd.instance.system.open_file import open_file
from orchd.instance.system.sparse import Hole, gap_after

log = logging.getLogger("orchd")

Key = TypeVar("Key", bound=Hashable)

LONGEST_REST = 0.25  # seconds between two looks at a log that grows; what is written meanwhile is beyond the bound
_SHORTEST_REST = 0.02
_FIRST_REST = 0.1  # after a first sign of writing: its speed is not known yet
_BLOCK = 4096  # a gap that does not begin and end with blocks would leave zeros
_PIECE = 64 << 20  # punched at once: freeing what is still in memory takes a few milliseconds
_PUNCH = 0x3  # FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE (fallocate(2))


@dataclass(slots=True)
class _Log:
    """One log at its last check."""

    path: str
    looked: float
    due: float | None  # None: it is quiet, and inotify tells when it is not
    size: int = 0
    gap: int = 0  # bytes that were punched out
    is_over: bool = False
    watch: int | None = None  # what inotify calls it while it is quiet


class Trimmer(Generic[Key]):
    """Checks and trims the logs of all running attempts."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._most = LOG_BYTES
        self._logs: dict[Key, _Log] = {}
        self._quiet: dict[int, Key] = {}  # by what inotify calls them
        self._can_punch = True
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._libc.fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
        self._inotify: Inotify | None = None
        try:
            self._inotify = Inotify()
        except OSError as error:
            log.warning("no inotify: %s; logs are polled while agents run", error.strerror)
            self._never = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)  # which is never written to
            weakref.finalize(self, os.close, self._never)

    def fileno(self) -> int:
        """Return the descriptor that is readable when a quiet log is written again."""
        return self._never if self._inotify is None else self._inotify.fileno()

    def reconfigure(self, most: int) -> None:
        """Limit each log to `most` bytes from now on."""
        self._most, self._can_punch = most, True

    def begin(self, key: Key, path: str) -> None:
        """Check this log from now on, the first time after a pause, since most attempts are short."""
        now = self._clock()
        self._logs[key] = _Log(path, now, now + LONGEST_REST)

    def end(self, key: Key) -> None:
        """Trim the log of an ended attempt for the last time."""
        if (entry := self._logs.get(key)) is None:
            return
        entry.is_over, entry.due = True, self._clock()
        watch, entry.watch = entry.watch, None
        if watch is not None and self._quiet.get(watch) == key:  # another path may lead to the same file
            del self._quiet[watch]
            if self._inotify is not None:
                self._inotify.unwatch(watch)  # it would last as long as the file; fails for a watch that has just fired
            self._hear()  # the end of a watch is an event too, and no wakeup is wanted for it
        if _size(entry) - entry.gap <= self._most:
            del self._logs[key]

    def next_deadline(self) -> float | None:
        """Return the time of the next check; None while all logs are quiet."""
        return min((entry.due for entry in self._logs.values() if entry.due is not None), default=None)

    def look(self) -> None:
        """Check the logs that are due."""
        self._hear()
        now = self._clock()
        for key, entry in list(self._logs.items()):
            if entry.due is None or entry.due > now:
                continue
            size = _size(entry)
            if self._can_punch and size - entry.gap > self._most and self._punch_piece(entry):
                entry.due = now  # one piece a turn, so that others are heard in between
                continue
            if entry.is_over:
                del self._logs[key]
                continue
            grown, took = size - entry.size, now - entry.looked
            entry.size, entry.looked = size, now
            if grown > 0:
                entry.due = now + min(max(self._most / 4 * took / grown, _SHORTEST_REST), LONGEST_REST)
            else:
                entry.due = None if self._watch_quiet(key, entry) else now + LONGEST_REST

    def _watch_quiet(self, key: Key, entry: _Log) -> bool:
        """Wait for the next write by inotify. Returns False when it cannot watch, or the log grew before it did."""
        try:
            watch = -1 if self._inotify is None else self._inotify.watch(entry.path, MODIFY | ONESHOT | DONT_FOLLOW)
        except OSError:
            watch = -1
        if watch < 0:
            return not os.path.exists(entry.path)  # noqa: PTH110 - its paths are strings; a log that is gone is quiet
        self._quiet[watch], entry.watch = key, watch
        return _size(entry) == entry.size

    def _hear(self) -> None:
        """Schedule checks of the logs that inotify reports."""
        now = self._clock()
        for watch in self._inotify.events() if self._inotify is not None else ():
            # Each was watched for one event; the next is that it is watched no more. Its number is not used again soon.
            key = self._quiet.pop(watch, None)
            entry = None if key is None else self._logs.get(key)
            if entry is None:
                continue
            if entry.watch == watch:
                entry.watch = None
            if entry.due is None:
                entry.looked, entry.due = now, now + _FIRST_REST

    def _punch_piece(self, entry: _Log) -> bool:
        """Punch out one piece, and update `entry` from the file. Returns whether more is to be punched."""
        try:
            descriptor = open_file(entry.path, os.O_RDWR)
        except OSError:  # it was deleted or replaced: nothing of it can be had
            return False
        try:
            piece = self._next_piece(descriptor, entry)
            if piece is None:
                return False
            if self._libc.fallocate(descriptor, _PUNCH, piece.start, piece.end - piece.start):
                self._can_punch = False
                why = os.strerror(ctypes.get_errno())
                log.warning("cannot limit the size of %s: %s; logs here grow without limit", entry.path, why)
                return False
            return self._next_piece(descriptor, entry) is not None
        finally:
            os.close(descriptor)

    def _next_piece(self, descriptor: int, entry: _Log) -> Hole | None:
        """Return the next piece to punch out, by the file alone, so that it is the same after a restart."""
        size = os.fstat(descriptor).st_size
        gap = gap_after(descriptor, 0)
        entry.gap = gap.end - gap.start if gap else 0
        head = self._most // 4 // _BLOCK * _BLOCK
        start = gap.end if gap and gap.start <= head else head
        end = (size - self._most // 2) // _BLOCK * _BLOCK
        if end <= start or size - entry.gap <= self._most:
            return None
        return Hole(start, min(end, start + _PIECE))


def _size(entry: _Log) -> int:
    """Return the size in bytes; the last size of a deleted log."""
    with suppress(OSError):
        return os.stat(entry.path, follow_symlinks=False).st_size  # noqa: PTH116 - its paths are strings
    return entry.size
