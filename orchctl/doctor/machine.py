"""Checks of the machine: versions, processes, cgroups, limits and the disk."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from orchctl.doctor.findings import Finding, ok, problem, warning
from orchd.instance import config as settings
from orchd.instance.home import Home
from orchd.instance.system import own_cgroup as own

_PRUNE = ": `orchctl prune --keep 0` deletes finished agents and their logs"
_FILES = 1024  # open files that a daemon with many agents and clients may need
ENDS_WITH_IT = "the end of the scope ends the daemon and all agents"
_RAISE = "raise `ulimit -Hn` where the daemon is started, or LimitNOFILE= in its unit, and restart the daemon"
_REMOTE = frozenset({"nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs"})  # locks and shared memory do not hold there


def versions() -> Iterator[Finding]:
    """Report the versions of Python and the libraries."""
    import platform
    import sqlite3

    import zmq

    python, sqlite = platform.python_version(), sqlite3.sqlite_version
    yield ok("versions", f"Python {python}, libzmq {zmq.zmq_version()}, SQLite {sqlite}")


def processes(proc: Path = Path("/proc")) -> Finding:
    """Check whether the daemon can identify its callers: it follows parents up to process 1."""
    try:
        (proc / "1/stat").read_bytes()
    except (FileNotFoundError, PermissionError):
        what = f"{proc} hides the processes of other users (hidepid): a daemon cannot identify its callers"
        return problem("processes", what, "mount it with hidepid=0, or with gid= of a group that this user is in")
    return ok("processes", f"{proc} shows the processes of all users")


def cgroups(answer: Mapping[str, Any] | None, config: settings.Config) -> Finding:
    """Check whether agents have own cgroups: under the running daemon, or under a daemon that is started here."""
    remedy = (
        "run the daemon as a service with Delegate=yes; without cgroups, processes are tracked by session, parent and "
        "environment"
    )
    if config.cgroups == "off":
        return ok("cgroups", 'not used: cgroups = "off" in config.toml')
    if answer is not None and "cgroups" in answer:
        if answer["cgroups"] is None:
            return warning("cgroups", "agents of the running daemon have no cgroups of their own", remedy)
        return ok("cgroups", f"the daemon uses {answer['cgroups']}")
    place = own.own_cgroup()
    if place is None:
        return warning("cgroups", "no cgroup2 hierarchy is mounted", remedy)
    if not os.access(place, os.W_OK) or not (place / "cgroup.procs").exists():
        what = f"{place} cannot be written: agents of a daemon that is started here have no cgroups of their own"
        return warning("cgroups", what, remedy)
    return ok("cgroups", f"{place} can be used by a daemon that is started here")


def scope(daemon: int) -> Iterator[Finding]:
    """Warn when the daemon of this pid, or a daemon that is started here (0), ends with a login session."""
    if (unit := own.passing_scope(daemon or "self")) is not None:
        whose = f"the daemon, pid {daemon}, is" if daemon else "a daemon that is started here would be"
        yield warning("cgroups", f"{whose} in {unit}: {ENDS_WITH_IT}", "`orchctl service install` runs it as a service")


def limits(daemon: int = 0) -> Iterator[Finding]:
    """Check how many files and processes the daemon of this pid, or a daemon that is started here (0), may have."""
    try:
        _, files = resource.prlimit(daemon, resource.RLIMIT_NOFILE)
        _, processes = resource.prlimit(daemon, resource.RLIMIT_NPROC)
    except (ProcessLookupError, PermissionError):  # it has just ended, or is of another pid namespace
        daemon = 0
        _, files = resource.getrlimit(resource.RLIMIT_NOFILE)
        _, processes = resource.getrlimit(resource.RLIMIT_NPROC)
    whose = f"the daemon, pid {daemon}, may have " if daemon else ""
    many = "any number of" if processes == resource.RLIM_INFINITY else f"{processes}"
    what = f"{whose}{'any number of' if files == resource.RLIM_INFINITY else files} open files, {many} processes"
    if files != resource.RLIM_INFINITY and files < _FILES:
        yield warning("limits", f"{what}: a large fleet needs {_FILES} files", _RAISE)
    else:
        yield ok("limits", what)


def room(directory: Path) -> str:
    """Return what gives the disk of a home free space: `orchctl prune` only where there is a history to prune."""
    try:
        has_history = Home(directory).database.stat().st_size > 0
    except OSError:  # missing, or in the home of another user
        has_history = False
    return f"free disk space{_PRUNE if has_history else ''}"


def disk(directory: Path, floor: int | None, mounts: Path = Path("/proc/mounts")) -> Iterator[Finding]:
    """Check the free space for the home, and the kind of its filesystem."""
    place = next(path for path in (directory, *directory.parents) if path.exists())
    status = os.statvfs(place)
    free, whole = status.f_bavail * status.f_frsize, status.f_blocks * status.f_frsize
    least = min(256 << 20, whole // 20) if floor is None else floor
    if free < least:
        yield problem(
            "disk", f"{free} bytes are free for {place}, fewer than {least}: no agent starts", room(directory)
        )
    else:
        yield ok("disk", f"{free >> 20} MiB are free for {place}")
    kind = filesystem(place, mounts)
    if kind in _REMOTE:
        what = f"{place} is on {kind}, where locks and the database are not safe"
        yield problem("filesystem", what, "set ORCHD_HOME to a directory on a local disk")
    else:
        yield ok("filesystem", f"{place} is on {kind}")


def filesystem(place: Path, mounts: Path) -> str:
    """Return the kind of the mount that `place` is on: the deepest above it, and of equals the last."""
    resolved, best, kind = place.resolve(), -1, "an unknown filesystem"
    for line in mounts.read_text(errors="surrogateescape").splitlines():
        _, point, name, *_ = line.split()
        path = Path(point.replace("\\040", " "))
        if (path == resolved or path in resolved.parents) and len(path.parts) >= best:
            best, kind = len(path.parts), name
    return kind
