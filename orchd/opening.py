"""Files that lie where agents may write: one that put a link or a pipe in their place leads us nowhere."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path


def open_file(path: str | Path, flags: int) -> int:
    """A descriptor of the file itself. Raises OSError, also for what is no file, and never blocks."""
    descriptor = os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is no file any more", str(path))
    return descriptor
