"""Files of this user alone that are on the disk when they have been written, or are as they were."""

from __future__ import annotations

import os
from pathlib import Path

from orchd.instance.system.open_file import check_replaceable


def write_private(path: Path, content: bytes, *, is_new: bool = False) -> None:
    """Put it there as a whole, on the disk before this returns, for this user alone.

    Raises OSError; with `is_new` FileExistsError where there is something already.
    """
    check_replaceable(path)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if is_new:
            os.link(draft, path)
        else:
            draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    sync(path.parent)


def sync(directory: Path) -> None:
    """Have the names in it on the disk."""
    opened = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
