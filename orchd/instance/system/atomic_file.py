"""Replaces files as a whole: a reader sees the old or the new content, and no part of either."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from orchd.instance.system.open_file import check_replaceable


def write(path: Path, content: bytes, mode: int | None = None) -> None:
    """Replace `path` with a file of `content`, or change nothing. Raises OSError, also for a device or FIFO.

    `mode` are its permissions; None means the permissions of any new file.
    """
    check_replaceable(path)
    with draft(path) as new:
        with os.fdopen(create(new, 0o666 if mode is None else mode & 0o600), "wb") as file:
            file.write(content)
            if mode is not None:
                os.fchmod(file.fileno(), mode)
        new.replace(path)


def link(path: Path, target: str) -> None:
    """Replace `path` with a symbolic link to `target`, or change nothing. Raises OSError."""
    with draft(path) as new:
        new.symlink_to(target)
        new.replace(path)


@contextmanager
def draft(path: Path, suffix: str = "new") -> Iterator[Path]:
    """Provide a free name beside `path` for its replacement; a file that still has the name at the end is removed."""
    new = path.with_name(f".{path.name}.{suffix}")
    new.unlink(missing_ok=True)  # of a process that died; or a link that a checkout brought, which leads anywhere
    try:
        yield new
    except OSError as error:
        if error.filename in (None, str(new)) and error.filename2 is None:  # people know the path, and no draft of it
            error.filename = str(path)
        raise
    finally:
        with suppress(OSError):
            new.unlink()


def create(path: Path, mode: int) -> int:
    """Return a descriptor of a new file. Raises OSError where anything has the name."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
