"""Errors of the system as texts for people: what happened, without its number, and what to do."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_ACCESS = "change its permissions, or give another path"
_SPACE = "free disk space, and run the command again"
_WAYS = {
    errno.EACCES: _ACCESS,
    errno.EPERM: _ACCESS,
    errno.EROFS: "give a path on a file system that can be written",
    errno.ENOSPC: _SPACE,
    errno.EDQUOT: _SPACE,
    errno.EEXIST: "move it away, or give another path",
    errno.EISDIR: "give the path of a file",
    errno.ENOTDIR: "give a path whose parts are directories",
    errno.ENAMETOOLONG: "give a shorter path",
    errno.ELOOP: "remove the link that leads to itself, or give another path",
    errno.EFBIG: "give a smaller file, or raise the limit of sizes (`ulimit -f`)",
    errno.EMFILE: "raise the limit of open files (`ulimit -n`)",
    errno.ENFILE: "end other processes: the system has no more open files to give",
    errno.ENOMEM: "end other processes, and run the command again",
}
OUTPUT = "the standard output"


def summary(error: Exception) -> str:
    """Return what happened and what to do, without the path: for a message that has it."""
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8; save it as UTF-8"
    return "; ".join(filter(None, _parts(error))) if isinstance(error, OSError) else str(error)


def sentence(error: OSError) -> str:
    """Return what happened, the path and what to do."""
    what, way_out = _parts(error)
    path = "" if error.filename is None else f": {os.fsdecode(error.filename)}"
    return f"{what}{path}. {way_out[:1].upper()}{way_out[1:]}" if way_out else f"{what}{path}"


@contextmanager
def naming(path: str) -> Iterator[None]:
    """Name the file in an OSError without a file name, as the error of a write is."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = path
        raise


def _parts(error: OSError) -> tuple[str, str]:
    """Return what happened, and what to do about it, if that is known."""
    what, _, way_out = (error.strerror or str(error)).partition("; ")  # `open_file` names the remedy itself
    if error.filename == OUTPUT:
        return what, "write to another file, or free disk space"
    if error.errno == errno.ENOENT and error.filename is not None:
        is_there = Path(os.fsdecode(error.filename)).parent.is_dir()
        return what, "give another path" if is_there else "create its directory, or give another path"
    return what, way_out or _WAYS.get(error.errno or 0, "")
