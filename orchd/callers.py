"""Who is asking, by the kernel's word: the caller's pid, walked up to a shim.

A process below the daemon that leads to no shim was orphaned: it double-forked out of its agent. It is known by its
cgroup, its session or its marks, and if it shows none of them it is nobody and may do nothing.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum

from orchd.core.model import AgentId
from orchd.errors import OrchdError
from orchd.ports import Peer
from orchd.procs.cgroups import held_in
from orchd.procs.local import Key, LocalProcesses
from orchd.procs.procfs import Process, look, marks
from orchd.roles import Visitor
from orchd.wire import ENV_AGENT, ENV_ATTEMPT, ENV_HOME, Home, WireError
from orchd.wire.cgroups import own_cgroup

_REMEMBERED = 4096
_LOOKS = 100  # at a caller whose parents come and go


class Outside(Enum):
    """A caller that is no agent."""

    OWNER = "owner"  # a person, or a program of theirs, outside every agent
    NOBODY = "nobody"  # below the daemon and of no agent that lives
    STRANGER = "stranger"  # another user


Caller = AgentId | Outside | Visitor


def agent_of(caller: Caller) -> AgentId | None:
    """The agent that calls, or None for somebody outside."""
    return caller if isinstance(caller, str) else None


@contextmanager
def seeing() -> Iterator[None]:
    """Look at whoever calls. When no descriptor is free to look with, they are told to ask again."""
    try:
        yield
    except OSError as error:
        raise WireError("busy", f"cannot see who is calling: {error.strerror}; ask again later") from None


def check_proc() -> None:
    """Raise OrchdError when processes of other users are hidden: whoever is outside is known by the first of all."""
    try:
        first = look(1)
    except PermissionError:
        first = None
    if first is None:
        raise OrchdError(
            "/proc hides the processes of other users (hidepid in proc(5)), so that nobody could be seen to be the "
            "owner; mount it with hidepid=0, or with gid= of a group that this user is in"
        )


class Callers:
    """Tells callers apart. A connection's caller never changes, so it is looked up once."""

    def __init__(self, home: Home, processes: LocalProcesses) -> None:
        self._home = home
        self._processes = processes
        self._uid = os.getuid()
        self._found: OrderedDict[Peer, Key | Outside] = OrderedDict()

    def who(self, peer: Peer) -> Caller:
        """The agent that this peer belongs to, or what it is otherwise."""
        if peer.visitor is not None:
            return peer.visitor
        if peer.uid != self._uid:
            return Outside.STRANGER
        found = self._found.get(peer)
        if found is None:
            found = self._found[peer] = self._seen(peer.pid)
            if len(self._found) > _REMEMBERED:
                self._found.popitem(last=False)
        if isinstance(found, Outside):
            return found
        return found[0] if found in self._processes.shims().values() else Outside.NOBODY

    def _seen(self, pid: int) -> Key | Outside:
        with seeing():
            return self._look(pid)

    def _look(self, pid: int) -> Key | Outside:
        shims = self._processes.shims()
        for _ in range(_LOOKS):
            line = _line(pid)
            if not line:
                break  # it has gone and cannot be asked who it was
            if (shim := next((process.pid for process in line if process.pid in shims), None)) is not None:
                return shims[shim]
            if (shown := self._shown(line[0], shims)) is not None:
                return shown
            if any(process.pid == os.getpid() for process in line):
                break
            if line[-1].parent == 0:
                return Outside.OWNER
            # somebody in between left while we looked, and whoever was below has another parent now
        return Outside.NOBODY

    def _shown(self, caller: Process, shims: dict[int, Key]) -> Key | Outside | None:
        """Which attempt an orphan shows that it belongs to; whoever belongs to one that has ended is nobody."""
        cgroups = self._processes.cgroups()
        # where there is a cgroup the session may have been an earlier attempt's too
        if (found := shims.get(caller.session)) is not None and found not in cgroups.values():
            return found
        if (cgroup := held_in(own_cgroup(caller.pid), self._home.tag)) is not None:
            return cgroups.get(cgroup, Outside.NOBODY)
        shown = marks(caller.pid)
        if shown.get(ENV_HOME) != str(self._home.directory) or ENV_AGENT not in shown:
            return None
        living = {f"{agent}.{attempt}": (agent, attempt) for agent, attempt in shims.values()}
        return living.get(f"{shown[ENV_AGENT]}.{shown.get(ENV_ATTEMPT)}", Outside.NOBODY)


def _line(pid: int) -> list[Process]:
    """The process, its parent and so on, as far up as they can be seen; whose parent is 0 is the topmost there is."""
    line: list[Process] = []
    while pid and (process := look(pid)) is not None:
        line.append(process)
        pid = process.parent
    return line
