"""The lock of the home and the sockets, by which clients and other daemons see this daemon.

When one of them is removed, inotify reports it, and the file is made again. A database that was removed or replaced, or
that something was mounted over, ends the daemon: what it acknowledged would be gone with it.
"""

from __future__ import annotations

import fcntl
import logging
import os
import select
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

from orchd.errors import AlreadyRunning
from orchd.instance.database_file import files_of
from orchd.instance.home import Home, HomeError
from orchd.instance.system import locks
from orchd.instance.system.inotify import CREATE, DELETE, DELETE_SELF, MOVE_SELF, MOVED_FROM, MOVED_TO, ONLYDIR, Inotify
from orchd.instance.system.open_file import open_file
from orchd.instance.system.sockets import is_listened_to
from orchd.network.sockets import LocalSockets

log = logging.getLogger("orchd")

_CHANGED = CREATE | DELETE | MOVED_FROM | MOVED_TO | DELETE_SELF | MOVE_SELF | ONLYDIR
# A client that looks whether the lock is held holds it for a moment; a daemon that is starting or stopping, for longer.
# The end of a daemon that does not answer is awaited, but no longer than clients wait for us.
_FIRST_SECONDS, _PATIENCE, _PAUSE = 1.0, 20.0, 0.05


class Lock:
    """The lock of a home. It is ours alone: no child inherits it, or an orphan could keep the next daemon out."""

    def __init__(self, home: Home, descriptor: int | None = None) -> None:
        """Describe the lock of `home`; with its descriptor this process holds it already: see `hand_over`."""
        self._home = home
        self._descriptor = descriptor
        if descriptor is not None:
            fcntl.fcntl(descriptor, fcntl.F_SETFD, fcntl.FD_CLOEXEC)

    def hand_over(self) -> int | None:
        """Keep the lock through execve(2); returns the descriptor for the program that follows, None if it is free."""
        if self._descriptor is not None:
            fcntl.fcntl(self._descriptor, fcntl.F_SETFD, 0)
        return self._descriptor

    def acquire(self) -> None:
        """Take the lock. Raises AlreadyRunning when another daemon answers or does not end, HomeError or OSError."""
        if self._descriptor is not None or self._try_for(_FIRST_SECONDS):
            return
        log.info("another daemon has locked %s; waiting until it answers or ends", self._home.directory)
        patience = _PATIENCE
        while patience > 0 and not is_listened_to(self._home.socket):
            if self._try_for(_FIRST_SECONDS):
                return
            patience -= _FIRST_SECONDS
        holder = locks.holder(self._home.lock)
        raise AlreadyRunning(
            f"another daemon serves {self._home.directory}{'' if holder is None else f' ({holder})'}; "
            "`orchctl daemon status` shows it"
        )

    def release(self) -> None:
        """Give the lock back."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def is_kept(self) -> bool:
        """Return whether we still hold the lock file, created again if it was removed.

        False when another daemon has locked a new file in its place.
        """
        with suppress(OSError):
            if self._descriptor is not None and os.path.samestat(os.fstat(self._descriptor), self._home.lock.stat()):
                return True
        old = self._descriptor
        if not self._try():
            return False
        if old is not None:
            os.close(old)
        log.warning("%s was removed; creating it again", self._home.lock)
        return True

    def _try_for(self, seconds: float) -> bool:
        """Try to take the lock for some time. Returns whether it was taken."""
        for _ in range(round(seconds / _PAUSE)):
            if self._try():
                return True
            select.select([], [], [], _PAUSE)
        return False

    def _try(self) -> bool:
        """Take the lock if it is free. Returns whether it was taken. Raises HomeError."""
        try:
            descriptor = open_file(self._home.lock, os.O_RDWR | os.O_CREAT)
        except OSError as error:
            raise HomeError(
                f"cannot lock {self._home.lock}: {error.strerror}; make it writable, or delete it if no daemon runs"
            ) from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        with suppress(OSError):  # the disk is full: then the pid is not known, and the lock holds as well
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, locks.holder_text(os.getpid(), version("orchd")), 0)
        return True


class Presence:
    """Keeps the lock file and the sockets in their places."""

    def __init__(self, home: Home, lock: Lock, ports: LocalSockets) -> None:
        self._home = home
        self._lock = lock
        self._ports = ports
        self._database: dict[Path, os.stat_result] = {}  # its files, as they were first seen
        self._changes = select.epoll()
        try:
            self._inotify: Inotify | None = Inotify()
            self._changes.register(self._inotify.fileno(), select.EPOLLIN)
        except OSError as error:
            log.warning("no inotify: %s; removed sockets are not created again", error.strerror)
            self._inotify = None
        with suppress(OSError):  # no /proc: then mounts are not seen
            mounts = os.open("/proc/self/mountinfo", os.O_RDONLY | os.O_CLOEXEC)
            self._changes.register(mounts, select.EPOLLPRI)  # proc_pid_mountinfo(5): when a mount has changed

    def fileno(self) -> int:
        """Return the descriptor that is readable when a file may be removed or replaced, or a mount has changed."""
        return self._changes.fileno()

    def begin(self) -> None:
        """Bind the sockets, and watch both directories from now on."""
        self._has_database()
        self._watch()
        self._ports.bind()

    def keep(self) -> bool:
        """Create again what was removed. Returns False when another daemon holds the home: then stop."""
        if self._inotify is not None:
            self._inotify.events()
        self._changes.poll(0)  # reads the event of the mounts
        if not self._has_database():
            log.critical(
                "%s or its -wal file was removed or replaced, or a file system was mounted over it, and no change can "
                "be stored; shutting down, agents keep running; restore the file and start orchd again",
                self._home.database,
            )
            return False
        try:
            home = self._home
            directories = (home.directory, home.sockets, home.agents, home.environments, home.bin)
            if not all(directory.is_dir() for directory in directories):
                self._home.create()
            if not self._lock.is_kept():
                log.critical("%s was removed and another daemon has locked it; shutting down", self._home.lock)
                return False
            self._watch()
            self._ports.bind()
        except (HomeError, OSError) as error:
            log.error("cannot create the lock and the sockets again: %s", error)  # noqa: TRY400 - for a person
        return True

    def _has_database(self) -> bool:
        """Return whether the open database files are still in the home."""
        for path in files_of(self._home.database):
            try:
                state = path.stat()
            except OSError:
                if path in self._database:
                    return False
            else:
                if not os.path.samestat(self._database.setdefault(path, state), state):
                    return False
        return True

    def _watch(self) -> None:
        """Watch both directories, also after they were made again. To watch a directory twice changes nothing."""
        if self._inotify is not None:
            for directory in {self._home.directory, self._home.sockets}:
                self._inotify.watch(directory, _CHANGED)
