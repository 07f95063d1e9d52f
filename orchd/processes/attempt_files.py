"""What an attempt keeps on the disk: its log, its exit record, its runner's report."""

from __future__ import annotations

import errno
import fcntl
import os
from contextlib import suppress
from functools import cache
from typing import NamedTuple

from orchd.instance.home import Home
from orchd.instance.system.open_file import open_file
from orchd.processes.linux.procfs import BOOT, PROC
from orchd.processes.shims.script import RECORD, header

_APPENDED = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC


class AttemptFiles(NamedTuple):
    """Where an attempt keeps what outlives the daemon."""

    stem: str

    @property
    def directory(self) -> str:
        """Where they are, beside those of all others."""
        return os.path.dirname(self.stem)  # noqa: PTH120 - its paths are strings

    @property
    def name(self) -> str:
        """What its shim calls it."""
        return os.path.basename(self.stem)  # noqa: PTH119

    @property
    def log(self) -> str:
        """All that the agent puts out."""
        return f"{self.stem}.log"

    @property
    def earlier(self) -> str:
        """The output of an earlier attempt of this name, of which the database lost its record."""
        return f"{self.stem}.log.earlier"

    @property
    def report(self) -> str:
        """What its runner said of it, when it has one that can tell."""
        return f"{self.stem}.report"

    @property
    def record(self) -> str:
        """How it ended, written by the shim and locked as long as that lives: no pid has to be trusted."""
        return f"{self.stem}.exit"

    def open_log(self) -> int:
        """A descriptor that appends to it. Raises OSError.

        What an agent put in its place, or linked it to, goes: an attempt writes to a file of its own. So does what an
        attempt of the same name has put out that the database does not know any more: it is set aside.
        """
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        try:
            descriptor = open_file(self.log, flags)
            status = os.fstat(descriptor)
            if status.st_nlink == 1 and status.st_size:
                os.close(descriptor)
                os.replace(self.log, self.earlier)  # noqa: PTH105 - its paths are strings
                descriptor = open_file(self.log, flags | os.O_EXCL)
            elif status.st_nlink > 1:
                os.close(descriptor)
                raise OSError(errno.EINVAL, "another name leads to it")  # noqa: TRY301 - handled as all else in its place
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ELOOP, errno.ENXIO):
                raise
            _clear(self.log)
            descriptor = open_file(self.log, flags)
        os.set_blocking(descriptor, True)
        return descriptor

    def open_record(self) -> int:
        """A descriptor of a new record, locked and begun. Raises OSError."""
        record = self._new_record()
        try:
            fcntl.flock(record, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.write(record, header(BOOT))
        except BaseException:
            os.close(record)
            raise
        return record

    def _new_record(self) -> int:
        """What is there is of a daemon that died before it wrote the attempt down, and an earlier attempt's too if one
        shim was to serve both."""
        try:
            return os.open(self.record, _APPENDED | os.O_EXCL, 0o600)
        except FileExistsError:
            _clear(self.record)
        except FileNotFoundError:  # somebody has deleted the directory that holds all of them
            os.makedirs(self.directory, mode=0o700, exist_ok=True)  # noqa: PTH103
        return os.open(self.record, _APPENDED | os.O_EXCL, 0o600)

    def share_record(self, shim: int) -> None:
        """Have this shim's record by a name of ours too, whatever an agent made of its other names. Raises OSError."""
        held = f"{shim}/fd/{RECORD}"
        try:
            os.link(held, self.record, src_dir_fd=_proc())  # by a descriptor, so that the link in /proc is followed
        except FileExistsError:
            _clear(self.record)
            os.link(held, self.record, src_dir_fd=_proc())

    def room(self) -> int:
        """Bytes on the disk that they take."""
        total = 0
        for path in (self.log, self.earlier, self.record, self.report):
            with suppress(OSError):
                total += os.stat(path, follow_symlinks=False).st_blocks * 512  # noqa: PTH116 - its paths are strings
        return total

    def remove(self) -> None:
        """Leave nothing of an attempt that did not begin."""
        _remove(self.log, self.record, self.report)

    def remove_all(self) -> None:
        """Leave nothing of an attempt, nor of an earlier one of its name."""
        _remove(self.log, self.earlier, self.record, self.report)


def _remove(*paths: str) -> None:
    for path in paths:
        with suppress(OSError):
            os.unlink(path)  # noqa: PTH108 - its paths are strings


def _clear(path: str) -> None:
    """Remove what is in the place of a file. Raises OSError, for a directory one that no repetition mends."""
    try:
        os.unlink(path)  # noqa: PTH108 - its paths are strings
    except IsADirectoryError:
        raise OSError(errno.EINVAL, f"a directory is in the place of {path}; remove it") from None


@cache
def _proc() -> int:
    return os.open(PROC, os.O_PATH | os.O_CLOEXEC)


def files_of(home: Home, agent: str, attempt: int) -> AttemptFiles:
    """The files of an attempt, whether they exist or not."""
    return AttemptFiles(f"{home.agents}/{agent}.{attempt}")
