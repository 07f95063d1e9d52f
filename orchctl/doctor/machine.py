"""The machine: versions, systemd, processes, cgroups, limits, the disk."""

from __future__ import annotations

import os
import pwd
import resource
from collections.abc import Iterator
from pathlib import Path

from orchctl.doctor.findings import Finding, ok, problem, warning

_FILES = 1024  # open files that a daemon with many agents and clients may need
_REMOTE = frozenset({"nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs"})  # locks and shared memory do not hold there
_CGROUPS = Path("/sys/fs/cgroup")


def versions() -> Iterator[Finding]:
    """Of what this is made of."""
    import platform
    import sqlite3

    import zmq

    python, sqlite = platform.python_version(), sqlite3.sqlite_version
    yield ok("versions", f"Python {python}, libzmq {zmq.zmq_version()}, SQLite {sqlite}")


def systemd(units: Path = Path("/run/systemd/system"), lingering: Path = Path("/var/lib/systemd/linger")) -> Finding:
    """Whether a daemon of this user can go on without anybody who is logged in."""
    if not units.is_dir():
        return ok("systemd", "no systemd runs here: the daemon starts with the first command that needs it")
    user = pwd.getpwuid(os.getuid()).pw_name
    places = (Path.home() / ".config/systemd/user/orchd.service", Path("/etc/systemd/system/orchd@.service"))
    unit = next((place for place in places if place.exists()), None)
    if unit is None:
        return ok("systemd", "orchd is no service: the daemon starts with the first command that needs it")
    if unit == places[0] and not (lingering / user).exists():
        what = f"{unit} ends when {user} logs out"
        return warning("systemd", what, f"`loginctl enable-linger {user}` lets it go on")
    return ok("systemd", f"{unit} is installed")


def processes(proc: Path = Path("/proc")) -> Finding:
    """Whether the daemon can see who calls it: it follows parents, up to the first process of all."""
    try:
        (proc / "1/stat").read_bytes()
    except (FileNotFoundError, PermissionError):
        what = f"{proc} hides the processes of other users (hidepid): no daemon can tell who its owner is"
        return problem("processes", what, "mount it with hidepid=0, or with gid= of a group that this user is in")
    return ok("processes", f"{proc} shows those of all users")


def cgroups(root: Path = _CGROUPS, own: Path = Path("/proc/self/cgroup")) -> Finding:
    """Whether agents can have cgroups of their own."""
    remedy = "run it as a service with Delegate=yes; without, trees are followed by session, descent and marks"
    if not (root / "cgroup.controllers").exists():
        return warning("cgroups", f"no cgroup2 hierarchy at {root}", remedy)
    line = next((line for line in own.read_text().splitlines() if line.startswith("0::")), "0::/")
    place = root / line.removeprefix("0::").strip("/")
    if not os.access(place, os.W_OK):
        return warning("cgroups", f"{place} cannot be written: agents have no cgroups of their own", remedy)
    controllers = (place / "cgroup.controllers").read_text().split() if place.is_dir() else []
    return ok("cgroups", f"{place} can be used; controllers: {', '.join(controllers) or 'none'}")


def limits() -> Iterator[Finding]:
    """How many files and processes this user may have."""
    _, files = resource.getrlimit(resource.RLIMIT_NOFILE)
    _, processes = resource.getrlimit(resource.RLIMIT_NPROC)
    many = "any number of" if processes == resource.RLIM_INFINITY else f"{processes}"
    what = f"{'any number of' if files == resource.RLIM_INFINITY else files} open files, {many} processes"
    if files != resource.RLIM_INFINITY and files < _FILES:
        yield warning("limits", f"{what}: a large fleet needs {_FILES} files", "raise `ulimit -Hn`, or LimitNOFILE=")
    else:
        yield ok("limits", what)


def disk(directory: Path, floor: int | None, mounts: Path = Path("/proc/mounts")) -> Iterator[Finding]:
    """How much room there is for the home, and on what."""
    place = next(path for path in (directory, *directory.parents) if path.exists())
    found = os.statvfs(place)
    free, whole = found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize
    least = min(256 << 20, whole // 20) if floor is None else floor
    if free < least:
        yield problem("disk", f"{free} bytes are free for {place}, fewer than {least}: nobody starts", "make room")
    else:
        yield ok("disk", f"{free >> 20} MiB are free for {place}")
    kind = filesystem(place, mounts)
    if kind in _REMOTE:
        what = f"{place} is on {kind}, where locks and the database are not safe"
        yield problem("filesystem", what, "set ORCHD_HOME to a directory on a local disk")
    else:
        yield ok("filesystem", f"{place} is on {kind}")


def filesystem(place: Path, mounts: Path) -> str:
    """The kind of the mount that `place` is on: the deepest one that it is below, and of those the last."""
    resolved, best, kind = place.resolve(), -1, "an unknown filesystem"
    for line in mounts.read_text(errors="surrogateescape").splitlines():
        _, point, found, *_ = line.split()
        path = Path(point.replace("\\040", " "))
        if (path == resolved or path in resolved.parents) and len(path.parts) >= best:
            best, kind = len(path.parts), found
    return kind
