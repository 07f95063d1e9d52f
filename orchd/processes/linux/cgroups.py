"""Cgroups (v2) of attempts: exact membership, and a kill that no fork escapes."""

from __future__ import annotations

import os
from contextlib import suppress
from itertools import count
from pathlib import Path

from orchd.instance.system.own_cgroup import own_cgroup
from orchd.processes.linux import controllers
from orchd.processes.linux.procfs import SHORTAGE

_ENOUGH = 256  # bytes, several times what cgroup.events holds, and one pid
_NOTHING_BELOW = 2  # links of a directory without directories in it


def held_in(cgroup: Path | None, tag: str) -> Path | None:
    """Return the cgroup of an attempt of the instance `tag`, given any cgroup at or below it."""
    parts = cgroup.parts if cgroup else ()
    base = f"orchd-{tag}"
    return Path(*parts[: parts.index(base) + 2]) if base in parts[:-1] else None


class Cgroup:
    """One cgroup: its members, and operations on all of them at once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.is_bound = False  # then it shows for good what became of its attempt, and is used once
        self._door: int | None = None
        self._events: int | None = None

    def door(self) -> int:
        """Return a descriptor: a process that writes 0 to it moves here, with all that it forks later."""
        if self._door is None:
            self._door = os.open(self.path / "cgroup.procs", os.O_RDWR | os.O_CLOEXEC)
        return self._door

    def members(self) -> set[int]:
        """Return the pids in it and in cgroups that agents made below it; empty when it is gone."""
        pids: set[int] = set()
        try:
            for procs in [self.path / "cgroup.procs", *self.path.glob("**/cgroup.procs")]:
                pids.update(map(int, procs.read_text().split()))
        except OSError as error:
            if error.errno in SHORTAGE:
                raise
        return pids

    def is_empty(self) -> bool:
        """Return whether no process is in it or below it."""
        return b"populated 1" not in self._state()

    def is_left_to(self, pid: int) -> bool:
        """Return whether this process is its only member and nothing is below it, so that no other can appear."""
        try:
            return os.pread(self.door(), _ENOUGH, 0) == b"%d\n" % pid and self._is_childless()
        except OSError:
            return False

    def is_as_made(self) -> bool:
        """Return whether it is as it was created: not frozen, and without cgroups below it."""
        try:
            return b"frozen 0" in self._state() and self._is_childless()
        except OSError:
            return False

    def _is_childless(self) -> bool:
        return os.stat(self.path).st_nlink == _NOTHING_BELOW  # noqa: PTH116 - quicker

    def cpu_seconds(self) -> float | None:
        """Return the CPU seconds of all past and present members; None when the kernel does not report them."""
        try:
            words = (self.path / "cpu.stat").read_text().split()
            return int(words[words.index("usage_usec") + 1]) / 1e6
        except (OSError, ValueError):
            return None

    def _state(self) -> bytes:
        """Return the values in cgroup.events; empty when it is gone. Raises OSError when it cannot be read now."""
        try:
            if self._events is None:
                self._events = os.open(self.path / "cgroup.events", os.O_RDONLY | os.O_CLOEXEC)
            return os.pread(self._events, _ENOUGH, 0)
        except OSError as error:
            if error.errno in SHORTAGE:
                raise
            return b""

    def kill(self) -> None:
        """Send SIGKILL to all members at once, forks in flight included."""
        with suppress(FileNotFoundError):
            (self.path / "cgroup.kill").write_text("1")

    def freeze(self) -> bool:
        """Freeze all in it and below it, and what enters later. Returns False when the kernel refuses."""
        try:
            (self.path / "cgroup.freeze").write_text("1")
        except OSError:
            return False
        return True

    def thaw(self) -> None:
        """Thaw it, and also cgroups below it that an agent froze."""
        for level in [self.path, *self.path.glob("**/")]:
            with suppress(OSError):  # it was removed meanwhile
                (level / "cgroup.freeze").write_text("0")

    def holds(self, pid: int) -> bool:
        """Return whether this process is in it or below it."""
        own = own_cgroup(pid)
        return own is not None and own.is_relative_to(self.path)

    def take_back(self, pid: int) -> None:
        """Move a process back into it that an agent moved elsewhere, where permissions allow it."""
        with suppress(OSError):
            os.write(self.door(), b"%d" % pid)

    def close(self) -> None:
        """Close its descriptor."""
        for descriptor in (self._door, self._events):
            if descriptor is not None:
                os.close(descriptor)
        self._door = self._events = None

    def remove(self) -> bool:
        """Remove it. Returns False while it has members or cgroups below it."""
        self.close()
        return _remove(self.path)


def _remove(path: Path) -> bool:
    try:
        path.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        below = sorted((inner for inner in path.glob("*/") if inner.is_dir()), reverse=True)
        return bool(below) and all(_remove(inner) for inner in below) and _remove(path)
    return True


class Cgroups:
    """The directory in which each attempt gets a cgroup. `bounds` are the limits that the kernel enforces there.

    To create a cgroup takes as long as to start a program, so unchanged cgroups are reused.
    """

    def __init__(self, base: Path) -> None:
        self.base = base
        self.bounds = controllers.passed_on(base)
        self._used: set[Path] = set()
        self._free: list[Cgroup] = []
        # each name is tried once: a search for a free name would take longer with each agent
        self._names = map(str, count(1))

    @classmethod
    def where_allowed(cls, tag: str) -> Cgroups | None:
        """Return the cgroups below our own, or, when an agent started us, below the cgroup that ours was made in.

        None where they cannot be created.
        """
        own = own_cgroup()
        if own is None:
            return None
        name = f"orchd-{tag}"
        above = Path(*own.parts[: own.parts.index(name)]) if name in own.parts else own
        leaf = above / controllers.LEAF
        try:
            if above != own:
                ((leaf if leaf.is_dir() else above) / "cgroup.procs").write_text(str(os.getpid()))
            elif own.name == controllers.LEAF and os.access(own.parent / "cgroup.procs", os.W_OK):
                above = own.parent
            (above / name).mkdir(exist_ok=True)
            if above == own.parent or leaf.is_dir():
                controllers.delegate(above, above / name)
            cgroups = cls(above / name)
            is_usable = (cgroups.base / "cgroup.kill").exists()
        except OSError:
            return None
        return cgroups if is_usable else None

    def take(self) -> Cgroup:
        """Return an empty cgroup for exclusive use until `give_back`."""
        cgroup = self._free.pop() if self._free else None
        while cgroup is None:
            candidate = Cgroup(self.base / next(self._names))
            if candidate.path in self._used:
                continue
            try:
                candidate.path.mkdir()
            except FileExistsError:  # of an earlier daemon; or it has a member, of an attempt that never began
                if not candidate.remove():
                    continue
                candidate.path.mkdir()
            cgroup = candidate
        self._used.add(cgroup.path)
        return cgroup

    def at(self, path: Path) -> Cgroup:
        """Return a cgroup that an earlier daemon took."""
        self._used.add(path)
        return Cgroup(path)

    def give_back(self, cgroup: Cgroup) -> None:
        """Take an empty cgroup back for reuse."""
        self._used.discard(cgroup.path)
        if cgroup.path.parent == self.base and cgroup.is_as_made() and not cgroup.is_bound:
            self._free.append(cgroup)
        else:
            cgroup.remove()

    def close(self) -> None:
        """Remove all empty cgroups."""
        for cgroup in self._free:
            cgroup.remove()
        self._free.clear()
        Cgroup(self.base).remove()
