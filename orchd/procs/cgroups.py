"""Cgroups (v2), where this daemon may make them: exact membership, and a kill that no fork escapes."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from orchd.procs.procfs import PROC


def own_cgroup(pid: int | str = "self") -> Path | None:
    """The directory of a process's v2 cgroup, or None without a v2 hierarchy."""
    try:
        lines = (PROC / str(pid) / "cgroup").read_text().splitlines()
        mounts = (PROC / "self/mountinfo").read_text().splitlines()
    except OSError:
        return None
    path = next((line[3:] for line in lines if line.startswith("0::")), None)
    mount = next((line.split()[4] for line in mounts if " - cgroup2 " in line), None)
    return None if path is None or mount is None else Path(mount) / path.lstrip("/")


def attempt_in(cgroup: Path | None, tag: str) -> str | None:
    """The `agent-007.1` of an attempt's cgroup of the instance `tag`, from any cgroup at or below it."""
    parts = cgroup.parts if cgroup else ()
    base = f"orchd-{tag}"
    if base in parts[:-1]:
        return parts[parts.index(base) + 1]
    return None


class Cgroups:
    """The directory under which each attempt gets a cgroup of its own."""

    def __init__(self, base: Path) -> None:
        self.base = base

    @classmethod
    def where_allowed(cls, tag: str) -> Cgroups | None:
        """Below our own cgroup, or below what ours was made in when we were started from inside an agent."""
        own = own_cgroup()
        if own is None:
            return None
        name = f"orchd-{tag}"
        above = Path(*own.parts[: own.parts.index(name)]) if name in own.parts else own
        try:
            if above != own:
                (above / "cgroup.procs").write_text(str(os.getpid()))
            (above / name).mkdir(exist_ok=True)
            probe = cls(above / name)
            probe.make("probe")
            is_usable = (probe.base / "probe/cgroup.kill").exists()
            probe.remove(probe.base / "probe")
        except OSError:
            return None
        return probe if is_usable else None

    def make(self, name: str) -> Path:
        """A new cgroup."""
        path = self.base / name
        with suppress(FileExistsError):
            os.mkdir(path)  # noqa: PTH102 - every attempt comes this way
        return path

    def close(self) -> None:
        """Take the base away if nobody is left in it."""
        self.remove(self.base)

    @staticmethod
    def enter(path: Path, pid: int) -> None:
        """Move `pid`, and with it all that it will ever fork, into the cgroup."""
        descriptor = os.open(f"{path}/cgroup.procs", os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(descriptor, b"%d" % pid)
        finally:
            os.close(descriptor)

    @staticmethod
    def members(path: Path) -> set[int]:
        """The pids in it and in cgroups that agents made below it; none when it is gone."""
        found: set[int] = set()
        try:
            for procs in [path / "cgroup.procs", *path.glob("**/cgroup.procs")]:
                found.update(map(int, procs.read_text().split()))
        except OSError:
            return found
        return found

    @staticmethod
    def kill(path: Path) -> None:
        """SIGKILL to all of it at once, forks in flight included."""
        try:
            (path / "cgroup.kill").write_text("1")
        except FileNotFoundError:
            return

    @staticmethod
    def remove(path: Path) -> bool:
        """Whether it is gone: the kernel removes a cgroup only when nobody is left in it or below it."""
        try:
            os.rmdir(path)  # noqa: PTH106
        except FileNotFoundError:
            return True
        except OSError:
            below = sorted((inner for inner in path.glob("*/") if inner.is_dir()), reverse=True)
            if not below or not all(Cgroups.remove(inner) for inner in below):
                return False
            return Cgroups.remove(path)
        return True
