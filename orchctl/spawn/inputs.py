"""Standard inputs that only this process can read, its own and pipes; the request carries their content."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

from orchctl.client import target
from orchctl.errors import UsageError

LONGEST = 4 << 20  # bytes
_OWN = ("/dev/stdin", "/dev/fd/", "/proc/self/")  # each process has others by these names


def read(source: str, directory: Path) -> bytes | None:
    """Return the content of `source`; None for a file that the daemon opens by its path. Raises UsageError."""
    if source != "-" and not _is_own(directory / source):
        return None
    try:
        if source == "-":
            content = sys.stdin.buffer.read(LONGEST + 1)
        else:
            with (directory / source).open("rb") as file:
                content = file.read(LONGEST + 1)
    except OSError as error:
        raise UsageError(f"--stdin {source} cannot be read: {error.strerror}; name a file, a pipe, or -") from None
    if len(content) > LONGEST:
        raise UsageError(f"--stdin {source} is larger than {LONGEST:,} bytes: write it to a file, and name that file")
    return content


def _is_own(path: Path) -> bool:
    """Return whether only this process can read the path."""
    if str(path).startswith(_OWN):
        return True
    if target.is_remote():  # a path of the other machine
        return False
    try:
        kind = os.stat(path).st_mode  # noqa: PTH116 - beside the test of its kind
    except OSError:  # the daemon says what is wrong with it
        return False
    return stat.S_ISFIFO(kind) or stat.S_ISSOCK(kind)
