"""Opens files at paths that an agent can write: never blocks, never follows a link, never opens what is not a file.

An agent runs as the same user, so it can put a FIFO, a link, a device or a directory in the place of any file of the
home, of a project and of a worktree. All reading of such paths goes through `read_file` or `open_file`; all writing
through `open_file`, `atomic_file.write` (replaces a file) or `private_file.write_private` (the same, on the disk before
it returns).
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

LONGEST = 64 << 20  # bytes that `read_file` accepts by default

_KINDS: tuple[tuple[Callable[[int], bool], str], ...] = (
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISLNK, "a symbolic link"),
    (stat.S_ISSOCK, "a socket"),
)


def open_file(path: str | Path, flags: int, *, follow: bool = False) -> int:
    """Return a descriptor of the regular file at `path`; a new file gets the mode 0600. Raises OSError.

    `follow` is for files that a user may keep elsewhere and link to, such as a configuration file.
    """
    try:  # opening a device may already do something, so its kind is checked before
        _check(path, os.stat(path, follow_symlinks=follow))  # noqa: PTH116 - the path may be a string
    except FileNotFoundError:
        if not flags & os.O_CREAT:
            raise
    flags |= os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY | (0 if follow else os.O_NOFOLLOW)
    descriptor = os.open(path, flags, 0o600)
    try:
        _check(path, os.fstat(descriptor))
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def read_file(path: str | Path, most: int = LONGEST, *, follow: bool = False) -> bytes:
    """Return the content of the regular file at `path`. Raises OSError, also for a file of more than `most` bytes."""
    with os.fdopen(open_file(path, os.O_RDONLY, follow=follow), "rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"it is larger than {most:,} bytes", str(path))
    return content


def read_as_text(path: str | Path, *, follow: bool = False) -> str:
    """Return the text of the regular file at `path`, with each line ended by a newline alone. Raises OSError."""
    text = read_file(path, follow=follow).decode(errors="replace")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def append_file(path: str | Path, content: bytes) -> None:
    """Add `content` to the end of the regular file at `path`, which is created where there is none. Raises OSError."""
    with os.fdopen(open_file(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT), "wb") as file:
        file.write(content)


@contextmanager
def inside(directory: Path, *names: str, create: bool = False) -> Iterator[Path]:
    """Provide a path of the directory `names` below `directory`, created with `create`; no link in it is followed.

    The path is valid inside the context, whatever an agent does to the names meanwhile. Raises OSError.
    """
    current = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for name in names:
            flags = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
            parent = current
            try:
                current = os.open(name, flags, dir_fd=parent)
            except FileNotFoundError:
                if not create:
                    raise
                os.mkdir(name, dir_fd=parent)
                current = os.open(name, flags, dir_fd=parent)
            os.close(parent)
        yield Path(f"/proc/self/fd/{current}")
    finally:
        os.close(current)


def check_replaceable(path: Path) -> None:
    """Raise OSError where a device, a FIFO or a socket is at `path`, which no file may replace.

    A link is replaced, and what it leads to stays; rename(2) itself refuses a directory.
    """
    try:
        state = path.lstat()
    except FileNotFoundError:
        return
    if not (stat.S_ISLNK(state.st_mode) or stat.S_ISDIR(state.st_mode)):
        _check(path, state)


def _check(path: str | Path, status: os.stat_result) -> None:
    """Raise OSError for anything but a regular file."""
    if stat.S_ISREG(status.st_mode):
        return
    kind = next((words for is_kind, words in _KINDS if is_kind(status.st_mode)), "a device")
    number = errno.ELOOP if stat.S_ISLNK(status.st_mode) else errno.EINVAL
    remedy = "give another path" if kind == "a device" else "move it away, or give another path"
    raise OSError(number, f"{kind} is in the place of the file; {remedy}", str(path))
