"""The test whether this process runs inside an agent, as far as a client can see; the daemon has its own test.

A client inside an agent starts no daemon: it would have the agent's namespaces and limits, and end with it. Signs are
enough: outside every agent there are none.
"""

from __future__ import annotations

import os
from pathlib import Path

from orchd.instance.environment import ENV_AGENT, ENV_HOME
from orchd.instance.home import Home

_PROC = Path("/proc")


def evidence(home: Home) -> str | None:
    """Return a sign that this process is inside an agent of `home`; None when there is none."""
    if agent := os.environ.get(ENV_AGENT):
        return f"{ENV_AGENT} is {agent}"
    if f"orchd-{home.tag}".encode() in _read("self", "cgroup"):
        return "this process is in the cgroup of an agent"
    pid = os.getpid()
    while pid:
        variables = _read(str(pid), "environ").split(b"\0")
        is_agents = any(variable.startswith(f"{ENV_AGENT}=".encode()) for variable in variables)
        if is_agents and f"{ENV_HOME}=".encode() + os.fsencode(home.directory) in variables:
            return f"its ancestor process {pid} has {ENV_AGENT}"
        fields = _read(str(pid), "stat").rpartition(b")")[2].split()  # the name in brackets may hold anything (proc(5))
        pid = int(fields[1]) if fields else 0
    return None


def _read(*names: str) -> bytes:
    """Read a file of proc(5); it is empty where that is impossible."""
    try:
        return _PROC.joinpath(*names).read_bytes()
    except OSError:  # it ended meanwhile, or is another user's
        return b""
