"""Tests whether files are locked: an attempt is alive while its shim holds the lock of its record.

The daemon's own lock file also contains which process holds it.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import NamedTuple

from orchd.instance.system.open_file import open_file, read_file

FORMAT = 1  # of the text in the daemon's lock file
_LONGEST = 4096


class Holder(NamedTuple):
    """The process that holds a daemon's lock."""

    pid: int | None  # None: the lock is held, and the file does not contain by which process
    version: str | None = None

    def __str__(self) -> str:
        return "the process that holds its lock" if self.pid is None else f"pid {self.pid}"


def is_locked(path: str | Path) -> bool:
    """Return whether a process holds the lock; False without a file."""
    try:
        descriptor = open_file(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        # shared, so that two who only look at the same moment do not take each other for the holder
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def holder(path: Path) -> Holder | None:
    """Return the holder of a daemon's lock, or None when the lock is free."""
    if not is_locked(path):
        return None
    try:
        return parse_holder(read_file(path)[:_LONGEST])
    except OSError:
        return Holder(None)


def holder_text(pid: int, version: str) -> bytes:
    """Return the text of a lock file that `pid` holds."""
    import json

    return json.dumps({"format": FORMAT, "pid": pid, "version": version}).encode() + b"\n"


def parse_holder(text: bytes) -> Holder:
    """Return the holder in the text of a lock file. Daemons of 0.1.0 and earlier leave the file empty."""
    import json

    try:
        value = json.loads(text)
    except ValueError:
        return Holder(None)
    if not isinstance(value, dict) or not isinstance(value.get("format"), int) or type(value.get("pid")) is not int:
        return Holder(None)
    version = value.get("version")
    return Holder(value["pid"] if value["pid"] > 0 else None, version if isinstance(version, str) else None)
