"""Process exits as events: pidfds, populated-events of cgroups and gates of shims in one epoll, without polling."""

from __future__ import annotations

import errno
import os
import select
from collections import Counter
from pathlib import Path
from typing import Generic, TypeVar

Key = TypeVar("Key")
GATE = -1  # where the pid of a process would stand
_AT_ONCE = 2  # so that the successors of the first are at work while the others are seen to, which fire again


class ExitWatch(Generic[Key]):
    """The watched descriptors, each with its key."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._watched: dict[int, tuple[Key, int | None]] = {}
        self._descriptors: dict[Key, dict[int | None, int]] = {}
        self._pids: Counter[int | None] = Counter()

    def count(self, pid: int) -> int:
        """Return how often this process is watched; each watch takes a descriptor."""
        return self._pids[pid]

    def _add(self, key: Key, pid: int | None, descriptor: int, mask: int) -> None:
        self._watched[descriptor] = (key, pid)
        self._descriptors.setdefault(key, {})[pid] = descriptor
        self._pids[pid] += 1
        self._epoll.register(descriptor, mask)

    def fileno(self) -> int:
        """Return the descriptor that is readable when a watch has fired."""
        return self._epoll.fileno()

    def process(self, key: Key, pid: int) -> bool:
        """Watch for the end of `pid`. Returns False when it has ended; then no event follows."""
        if pid in self._descriptors.get(key, ()):
            return True
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            return False
        self._add(key, pid, descriptor, select.EPOLLIN)
        return True

    def cgroup(self, key: Key, path: Path) -> bool:
        """Watch for a cgroup to become empty or populated. Returns False when it is gone."""
        if None in self._descriptors.get(key, ()):
            return True
        try:
            descriptor = os.open(path / "cgroup.events", os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        os.read(descriptor, 256)  # only changes after this are events (cgroups(7))
        self._add(key, None, descriptor, select.EPOLLPRI)
        return True

    def shim(self, key: Key, pid: int, gate: int) -> None:
        """Watch the gate for data, and the process behind it for its end. The gate is ours to close from now on.
        Raises OSError, and then there is no gate any more; also when that process has ended."""
        self._add(key, GATE, gate, select.EPOLLIN)
        is_there = False
        try:
            is_there = self.process(key, pid)
        finally:
            if not is_there:
                self.close(gate)
        if not is_there:
            raise ChildProcessError(errno.ECHILD, "its supervising shell was killed before it started")

    def pass_on(self, key: Key, other: Key) -> None:
        """Transfer all watches of `key` to `other`."""
        for pid, descriptor in (moved := self._descriptors.pop(key, {})).items():
            self._watched[descriptor] = (other, pid)
        self._descriptors[other] = moved

    def fired(self) -> list[tuple[Key, int | None]]:
        """Return some of the fired watches, a cgroup without a pid. Such a process is not watched any more, and a gate
        fires until it is read."""
        events = []
        for descriptor, _ in self._epoll.poll(0, _AT_ONCE):
            key, pid = self._watched[descriptor]
            if pid is None:
                os.pread(descriptor, 256, 0)
            elif pid != GATE:
                self.close(descriptor)
            events.append((key, pid))
        return events

    def forget(self, key: Key) -> None:
        """End all watches of `key`."""
        for descriptor in list(self._descriptors.get(key, {}).values()):
            self.close(descriptor)

    def forget_process(self, key: Key, pid: int) -> None:
        """End the watch of `pid`."""
        if (descriptor := self._descriptors.get(key, {}).get(pid)) is not None:
            self.close(descriptor)

    def close(self, descriptor: int) -> None:
        """End the watch of a descriptor and close it."""
        # closed first, it would stay in the epoll set for as long as a child holds a copy (epoll(7))
        self._epoll.unregister(descriptor)
        os.close(descriptor)
        key, pid = self._watched.pop(descriptor)
        self._pids[pid] -= 1
        if not self._pids[pid]:
            del self._pids[pid]
        of_key = self._descriptors[key]
        del of_key[pid]
        if not of_key:
            del self._descriptors[key]
