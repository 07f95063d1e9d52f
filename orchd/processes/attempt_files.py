"""Files of an attempt: its log, its exit record and the report of its runner."""

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
    """The paths of the files of one attempt; they outlive the daemon."""

    stem: str

    @property
    def directory(self) -> str:
        """Return the directory that holds the files of all attempts."""
        return os.path.dirname(self.stem)  # noqa: PTH120 - its paths are strings

    @property
    def name(self) -> str:
        """Return the name of the attempt in its exit record."""
        return os.path.basename(self.stem)  # noqa: PTH119

    @property
    def log(self) -> str:
        """Return the path of the log: stdout and stderr of the agent."""
        return f"{self.stem}.log"

    @property
    def earlier(self) -> str:
        """Return the path of the log of an earlier attempt of this name that the database does not know."""
        return f"{self.stem}.log.earlier"

    @property
    def report(self) -> str:
        """Return the path of the report that its runner writes, if it has a runner."""
        return f"{self.stem}.report"

    @property
    def record(self) -> str:
        """Return the path of the exit record: the shim writes it and holds its lock, so no pid has to be trusted."""
        return f"{self.stem}.exit"

    def open_log(self) -> int:
        """Return a descriptor that appends to the log. Raises OSError.

        A file or link that an agent put in its place is removed: an attempt writes to a file of its own. The log of an
        earlier attempt of the same name that the database does not know is renamed.
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
                raise OSError(errno.EINVAL, "it has another hard link")  # noqa: TRY301 - handled as all else in its place
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ELOOP, errno.ENXIO):
                raise
            _clear(self.log)
            descriptor = open_file(self.log, flags)
        os.set_blocking(descriptor, True)
        return descriptor

    def open_record(self) -> int:
        """Return the locked descriptor of a new exit record with its first line. Raises OSError."""
        flags = _APPENDED | os.O_EXCL
        try:
            record = os.open(self.record, flags, 0o600)
        except FileExistsError:
            # it is of a daemon that died before it wrote the attempt down, and may be that of an earlier attempt too,
            # if one shim was to serve both
            _clear(self.record)
            record = os.open(self.record, flags, 0o600)
        except FileNotFoundError:  # the directory that holds all of them was deleted
            os.makedirs(self.directory, mode=0o700, exist_ok=True)  # noqa: PTH103
            record = os.open(self.record, flags, 0o600)
        try:
            fcntl.flock(record, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.write(record, header(BOOT))
        except BaseException:
            os.close(record)
            raise
        return record

    def share_record(self, shim: int) -> None:
        """Link the record of this shim to our name, whatever an agent did to its other names. Raises OSError."""
        descriptor = f"{shim}/fd/{RECORD}"
        try:
            os.link(
                descriptor, self.record, src_dir_fd=_proc()
            )  # by a descriptor, so that the link in /proc is followed
        except FileExistsError:
            _clear(self.record)
            os.link(descriptor, self.record, src_dir_fd=_proc())

    def room(self) -> int:
        """Return the disk space of the files in bytes."""
        total = 0
        for path in (self.log, self.earlier, self.record, self.report):
            with suppress(OSError):
                total += os.stat(path, follow_symlinks=False).st_blocks * 512  # noqa: PTH116 - its paths are strings
        return total

    def remove(self) -> None:
        """Delete the files of an attempt that did not begin."""
        _remove(self.log, self.record, self.report)

    def remove_all(self) -> None:
        """Delete the files of an attempt, and the log of an earlier attempt of its name."""
        _remove(self.log, self.earlier, self.record, self.report)


def _remove(*paths: str) -> None:
    for path in paths:
        with suppress(OSError):
            os.unlink(path)  # noqa: PTH108 - its paths are strings


def _clear(path: str) -> None:
    """Remove what is in the place of a file. Raises OSError; for a directory repeating does not help."""
    try:
        os.unlink(path)  # noqa: PTH108 - its paths are strings
    except IsADirectoryError:
        raise OSError(errno.EINVAL, f"a directory is in the place of {path}; move it away") from None


@cache
def _proc() -> int:
    return os.open(PROC, os.O_PATH | os.O_CLOEXEC)


def files_of(home: Home, agent: str, attempt: int) -> AttemptFiles:
    """Return the files of an attempt, whether they exist or not."""
    return AttemptFiles(f"{home.agents}/{agent}.{attempt}")
