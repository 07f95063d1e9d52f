"""Whether this process runs inside an agent, as far as a client can see. The daemon decides by other means.

A client inside an agent starts no daemon: it would be in the agent's namespaces, with its limits, and below its ends.
It is enough to look as if: outside every agent nothing of this is there.
"""

from __future__ import annotations

import os
from pathlib import Path

from orchd.instance.environment import ENV_AGENT, ENV_HOME
from orchd.instance.home import Home

_PROC = Path("/proc")


def evidence(home: Home) -> str | None:
    """What shows that this process is inside an agent of `home`, or None."""
    if agent := os.environ.get(ENV_AGENT):
        return f"{ENV_AGENT} is {agent}"
    if f"orchd-{home.tag}".encode() in _read("self", "cgroup"):
        return "its cgroup is an agent's"
    pid = os.getpid()
    while pid:
        if _is_marked(pid, home):
            return f"process {pid} above it has {ENV_AGENT}"
        pid = _parent(pid)
    return None


def _is_marked(pid: int, home: Home) -> bool:
    variables = _read(str(pid), "environ").split(b"\0")
    is_agents = any(variable.startswith(f"{ENV_AGENT}=".encode()) for variable in variables)
    return is_agents and f"{ENV_HOME}=".encode() + os.fsencode(home.directory) in variables


def _parent(pid: int) -> int:
    fields = _read(str(pid), "stat").rpartition(b")")[2].split()  # the name in brackets may hold anything (proc(5))
    return int(fields[1]) if fields else 0


def _read(*names: str) -> bytes:
    try:
        return _PROC.joinpath(*names).read_bytes()
    except OSError:  # it ended meanwhile, or is another user's
        return b""
