"""Namespaces of the daemon that started the running agents; from other namespaces it could not see or end them."""

from __future__ import annotations

import json
import os
import re
from contextlib import suppress
from functools import cache

from orchd.errors import OrchdError
from orchd.instance.home import Home
from orchd.instance.system.locks import is_locked
from orchd.instance.system.open_file import read_file
from orchd.instance.system.private_file import write_private
from orchd.processes.linux.procfs import BOOT, PROC

_DECISIVE = ("pid", "user")  # with another mount namespace alone, agents can be seen and ended
_ALL = ("pid", "user", "mnt")
_OF_AGENTS = {"net": "network", "mnt": "mount", "uts": "UTS", "ipc": "IPC"}  # an agent shares the daemon's
_CONFINED = re.compile(rb"^NoNewPrivs:\t1$", re.MULTILINE)


def enter(home: Home) -> None:
    """Record the namespaces of this process as the namespaces of the home.

    Raises OrchdError, and records nothing, while agents run that were started in others. OSError when the disk is full.
    """
    links = {kind: os.readlink(PROC / "self/ns" / kind) for kind in _ALL}  # noqa: PTH115 - it is no path
    own = {"boot": BOOT.decode(), **links}
    try:
        before = json.loads(read_file(home.namespaces))
    except (FileNotFoundError, ValueError):  # there was no daemon yet, or one of an earlier version
        before = None
    if own == before:
        return
    if isinstance(before, dict) and before.get("boot") == own["boot"]:
        other = [kind for kind in _DECISIVE if kind in before and before[kind] != own[kind]]
        # the exit record of an attempt whose supervising shell runs, whatever namespace it is in
        alive = next((path for path in home.agents.glob("*.exit") if is_locked(path)), None) if other else None
        if alive is not None:
            raise OrchdError(
                f"agents of {home.directory} are running in another {' and '.join(other)} namespace ({alive.name} is "
                "locked), where this daemon cannot see or end them; start it from a shell outside every agent and "
                "container, where the daemon ran before, or wait until they have ended"
            )
    write_private(home.namespaces, f"{json.dumps(own)}\n".encode())


def confinement(pid: int) -> list[str]:
    """Return what confines a process and would not confine its agents (namespaces, NoNewPrivs), each as a clause.

    Raises FileNotFoundError or ProcessLookupError when it has ended.
    """
    own, clauses = _own_place(), []
    with suppress(PermissionError):  # it has more rights than this process, so it is not confined
        clauses = [
            f"it is in another {name} namespace"
            for kind, name in _OF_AGENTS.items()
            if os.readlink(PROC / str(pid) / "ns" / kind) != own.get(kind)  # noqa: PTH115 - it is no path
        ]
    if not own.get("confined") and _is_confined(pid):
        clauses.append("it has NoNewPrivs set")
    return clauses


@cache
def _own_place() -> dict[str, str]:
    """Return the namespaces of this process; cached, since it enters no others."""
    own = {kind: os.readlink(PROC / "self/ns" / kind) for kind in _OF_AGENTS}  # noqa: PTH115
    return own | ({"confined": "1"} if _is_confined(os.getpid()) else {})


def _is_confined(pid: int) -> bool:
    return _CONFINED.search((PROC / str(pid) / "status").read_bytes()) is not None
