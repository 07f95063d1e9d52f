"""The v2 cgroup of a process, by its own /proc alone; also where v1 is mounted beside it."""

from __future__ import annotations

import re
from pathlib import Path

_PROC = Path("/proc")


def own_cgroup(pid: int | str = "self", proc: Path = _PROC) -> Path | None:
    """Return the directory of a process's v2 cgroup, or None without a v2 hierarchy."""
    try:
        lines = (proc / str(pid) / "cgroup").read_text(errors="surrogateescape").splitlines()
        mounts = (proc / "self/mountinfo").read_text(errors="surrogateescape").splitlines()
    except OSError:
        return None
    path = next((line[3:] for line in lines if line.startswith("0::")), None)
    mount = next((line.split()[4] for line in mounts if " - cgroup2 " in line), None)
    return None if path is None or mount is None else Path(mount) / path.lstrip("/")


def passing_scope(pid: int | str, proc: Path = _PROC) -> str | None:
    """Return the systemd scope of a process that ends with a login, a command or a container; None without one.

    The end of the scope ends the process. It is named by the innermost unit of the process, in a hierarchy of v2 or v1.
    """
    try:
        lines = (proc / str(pid) / "cgroup").read_text(errors="surrogateescape").splitlines()
    except OSError:
        return None
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers in ("", "name=systemd"):
            units = [part for part in path.split("/") if re.fullmatch(r".+\.(?:scope|service)", part)]
            if units and units[-1].endswith(".scope") and units[-1] != "init.scope":
                return units[-1]
    return None
