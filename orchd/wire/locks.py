"""Whether a file is locked: an attempt lives as long as its shim holds its record's lock, whatever any pid says."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from orchd.wire.opening import open_file


def is_locked(path: str | Path) -> bool:
    """Whether somebody holds the lock; nobody does where there is no file."""
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
