"""Replaces private files of this user durably: the new content is on the disk, or the old one is unchanged."""

from __future__ import annotations

import os
from pathlib import Path

from orchd.instance.system import atomic_file
from orchd.instance.system.open_file import check_replaceable


def write_private(path: Path, content: bytes, *, is_new: bool = False) -> None:
    """Replace `path` as a whole, on the disk before this returns, readable for this user alone.

    Raises OSError; with `is_new` FileExistsError where the path exists.
    """
    check_replaceable(path)
    with atomic_file.draft(path, str(os.getpid())) as new:
        with os.fdopen(atomic_file.create(new, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if is_new:
            os.link(new, path)
        else:
            new.replace(path)
    sync(path.parent)


def sync(directory: Path) -> None:
    """Sync the names in a directory to the disk."""
    opened = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
