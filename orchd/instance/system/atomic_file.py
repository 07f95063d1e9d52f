"""Files that are replaced as a whole: a reader sees what was there or what is there now, and no part of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from orchd.instance.system.open_file import check_replaceable


def write(path: Path, content: bytes, mode: int | None = None) -> None:
    """Put it there, or leave what was there. Raises OSError, also where a device or FIFO is at `path`.

    `mode` are its permissions; None are those that any new file gets.
    """
    check_replaceable(path)
    with draft(path) as new:
        with os.fdopen(create(new, 0o666 if mode is None else mode & 0o600), "wb") as file:
            file.write(content)
            if mode is not None:
                os.fchmod(file.fileno(), mode)
        new.replace(path)


def link(path: Path, target: str) -> None:
    """Make `path` a symbolic link to `target`, or leave what was there. Raises OSError."""
    with draft(path) as new:
        new.symlink_to(target)
        new.replace(path)


@contextmanager
def draft(path: Path, suffix: str = "new") -> Iterator[Path]:
    """A free name beside `path`, for what is to replace it; what still has the name in the end is removed."""
    new = path.with_name(f".{path.name}.{suffix}")
    new.unlink(missing_ok=True)  # of a process that died; or a link that a checkout brought, which leads anywhere
    try:
        yield new
    finally:
        with suppress(OSError):
            new.unlink()


def create(path: Path, mode: int) -> int:
    """A descriptor to write a new file. Raises OSError where anything has the name."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
