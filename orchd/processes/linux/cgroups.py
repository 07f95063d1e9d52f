"""Cgroups (v2), where this daemon may make them: exact membership, and a kill that no fork escapes."""

from __future__ import annotations

import os
from contextlib import suppress
from itertools import count
from pathlib import Path

from orchd.instance.system.own_cgroup import own_cgroup
from orchd.processes.linux import controllers
from orchd.processes.linux.procfs import SHORTAGE

_ENOUGH = 256  # bytes, several times what cgroup.events holds, and the pid of whoever is alone
_NOTHING_BELOW = 2  # links of a directory without directories in it


def held_in(cgroup: Path | None, tag: str) -> Path | None:
    """The cgroup of an attempt of the instance `tag`, from any cgroup at or below it."""
    parts = cgroup.parts if cgroup else ()
    base = f"orchd-{tag}"
    return Path(*parts[: parts.index(base) + 2]) if base in parts[:-1] else None


class Cgroup:
    """One cgroup: who is in it, and an end for all of them at once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.is_bound = False  # then it says for good what became of whom it was made for, and is used once
        self._door: int | None = None
        self._events: int | None = None

    def door(self) -> int:
        """A descriptor: whoever writes 0 to it moves here, with all that it will ever fork."""
        if self._door is None:
            self._door = os.open(self.path / "cgroup.procs", os.O_RDWR | os.O_CLOEXEC)
        return self._door

    def members(self) -> set[int]:
        """The pids in it and in cgroups that agents made below it; none when it is gone."""
        pids: set[int] = set()
        try:
            for procs in [self.path / "cgroup.procs", *self.path.glob("**/cgroup.procs")]:
                pids.update(map(int, procs.read_text().split()))
        except OSError as error:
            if error.errno in SHORTAGE:
                raise
        return pids

    def is_empty(self) -> bool:
        """Whether nobody is left in it or below it."""
        return b"populated 1" not in self._state()

    def is_left_to(self, pid: int) -> bool:
        """Whether nobody else is in it and nothing below it: whoever is alone stays alone."""
        try:
            return os.pread(self.door(), _ENOUGH, 0) == b"%d\n" % pid and self._is_childless()
        except OSError:
            return False

    def is_as_made(self) -> bool:
        """Whether whoever lived in it left it as it was: not frozen, and without cgroups below it."""
        try:
            return b"frozen 0" in self._state() and self._is_childless()
        except OSError:
            return False

    def _is_childless(self) -> bool:
        return os.stat(self.path).st_nlink == _NOTHING_BELOW  # noqa: PTH116 - quicker

    def cpu_seconds(self) -> float | None:
        """CPU time of all that was ever in it or below it, since it was made; None when the kernel does not tell."""
        try:
            words = (self.path / "cpu.stat").read_text().split()
            return int(words[words.index("usage_usec") + 1]) / 1e6
        except (OSError, ValueError):
            return None

    def _state(self) -> bytes:
        """What cgroup.events says; nothing when it is gone. Raises OSError when the machine lets nobody look."""
        try:
            if self._events is None:
                self._events = os.open(self.path / "cgroup.events", os.O_RDONLY | os.O_CLOEXEC)
            return os.pread(self._events, _ENOUGH, 0)
        except OSError as error:
            if error.errno in SHORTAGE:
                raise
            return b""

    def kill(self) -> None:
        """SIGKILL to all of it at once, forks in flight included."""
        with suppress(FileNotFoundError):
            (self.path / "cgroup.kill").write_text("1")

    def freeze(self) -> bool:
        """Let nothing in it or below it run; what enters it later is frozen too. False when that cannot be done."""
        try:
            (self.path / "cgroup.freeze").write_text("1")
        except OSError:
            return False
        return True

    def thaw(self) -> None:
        """Let all of it run, also what an agent froze in cgroups of its own below it."""
        for level in [self.path, *self.path.glob("**/")]:
            with suppress(OSError):  # it was removed meanwhile
                (level / "cgroup.freeze").write_text("0")

    def holds(self, pid: int) -> bool:
        """Whether this process is in it or below it."""
        own = own_cgroup(pid)
        return own is not None and own.is_relative_to(self.path)

    def take_back(self, pid: int) -> None:
        """Move a process into it that an agent moved elsewhere, where we may."""
        with suppress(OSError):
            os.write(self.door(), b"%d" % pid)

    def close(self) -> None:
        """Hold no descriptor of it."""
        for descriptor in (self._door, self._events):
            if descriptor is not None:
                os.close(descriptor)
        self._door = self._events = None

    def remove(self) -> bool:
        """Whether it is gone: the kernel removes a cgroup only when nobody is left in it or below it."""
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
    """The directory in which each attempt gets a cgroup: to make one takes as long as to start a program, so that those
    which were left as they were made are used again. `resource_limits` are those that the kernel holds in them."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.bounds = controllers.passed_on(base)
        self._used: set[Path] = set()
        self._free: list[Cgroup] = []
        self._names = map(str, count(1))  # each is tried once: looking for a free one would take longer with each agent

    @classmethod
    def where_allowed(cls, tag: str) -> Cgroups | None:
        """Below our own cgroup, or below what ours was made in when we were started from inside an agent."""
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
        """One with nobody in it, which nobody else is given until it is given back."""
        cgroup = self._free.pop() if self._free else self._made()
        self._used.add(cgroup.path)
        return cgroup

    def _made(self) -> Cgroup:
        for name in self._names:
            cgroup = Cgroup(self.base / name)
            if cgroup.path in self._used:
                continue
            try:
                cgroup.path.mkdir()
            except FileExistsError:  # an earlier daemon's; or somebody is in it, of an attempt that never began
                if not cgroup.remove():
                    continue
                cgroup.path.mkdir()
            return cgroup
        raise AssertionError

    def at(self, path: Path) -> Cgroup:
        """One that an earlier daemon took."""
        self._used.add(path)
        return Cgroup(path)

    def give_back(self, cgroup: Cgroup) -> None:
        """It is empty, and nobody's any more."""
        self._used.discard(cgroup.path)
        if cgroup.path.parent == self.base and cgroup.is_as_made() and not cgroup.is_bound:
            self._free.append(cgroup)
        else:
            cgroup.remove()

    def close(self) -> None:
        """Take away all in which nobody is."""
        for cgroup in self._free:
            cgroup.remove()
        self._free.clear()
        Cgroup(self.base).remove()
