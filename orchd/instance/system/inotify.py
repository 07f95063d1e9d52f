"""inotify(7) through ctypes: changes of files and directories as a descriptor that can be polled."""

from __future__ import annotations

import ctypes
import os
import struct
import weakref
from pathlib import Path

MODIFY, MOVED_FROM, MOVED_TO, CREATE, DELETE, DELETE_SELF, MOVE_SELF = 0x2, 0x40, 0x80, 0x100, 0x200, 0x400, 0x800
ONLYDIR, DONT_FOLLOW, ONESHOT = 0x01000000, 0x02000000, 0x80000000
_HEADER = struct.Struct("iIII")  # inotify_event, before its name
_READ = 1 << 16


class Inotify:
    """One inotify instance. Raises OSError where the kernel grants none."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor: int = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._descriptor < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        self.close = weakref.finalize(self, os.close, self._descriptor)

    def fileno(self) -> int:
        """Return the descriptor: it is readable when there are events."""
        return self._descriptor

    def watch(self, path: str | Path, mask: int) -> int:
        """Watch `path` for the events in `mask`; returns the number of the watch. Raises OSError."""
        number: int = self._libc.inotify_add_watch(self._descriptor, os.fsencode(path), ctypes.c_uint32(mask))
        if number < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(path))
        return number

    def unwatch(self, number: int) -> None:
        """End a watch; it may have ended by itself."""
        self._libc.inotify_rm_watch(self._descriptor, number)

    def events(self) -> list[int]:
        """Read all pending events; returns the number of the watch of each."""
        try:
            data = os.read(self._descriptor, _READ)
        except BlockingIOError:
            return []
        numbers, position = [], 0
        while position < len(data):
            number, _, _, length = _HEADER.unpack_from(data, position)
            numbers.append(number)
            position += _HEADER.size + length
        return numbers
