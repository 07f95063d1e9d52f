"""Who is asking, by the kernel's word: the caller's pid, walked up to a shim.

A process below the daemon that leads to no shim was orphaned: it double-forked out of its agent. It is known by its
cgroup, its session or its marks, and if it shows none of them it is nobody and may do nothing.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from enum import Enum

from orchd.core.model import AgentId
from orchd.ports import Peer
from orchd.procs.cgroups import attempt_in, own_cgroup
from orchd.procs.local import Key, LocalProcesses
from orchd.procs.procfs import Process, look, marks
from orchd.wire import ENV_AGENT, ENV_ATTEMPT, ENV_HOME, Home, WireError

_REMEMBERED = 4096


class Outside(Enum):
    """A caller that is no agent."""

    OWNER = "owner"  # a person, or a program of theirs, outside every agent
    NOBODY = "nobody"  # below the daemon and of no agent that lives
    STRANGER = "stranger"  # another user


Caller = AgentId | Outside


class Callers:
    """Tells callers apart. A connection's caller never changes, so it is looked up once."""

    def __init__(self, home: Home, processes: LocalProcesses) -> None:
        self._home = home
        self._processes = processes
        self._uid = os.getuid()
        self._found: OrderedDict[Peer, Key | Outside] = OrderedDict()

    def who(self, peer: Peer) -> Caller:
        """The agent that this peer belongs to, or what it is otherwise."""
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
        try:
            return self._look(pid)
        except OSError as error:  # no descriptor is free to look with
            raise WireError("busy", f"cannot see who is calling: {error.strerror}; ask again later") from None

    def _look(self, pid: int) -> Key | Outside:
        shims = self._processes.shims()
        caller = process = look(pid)
        while process is not None and process.pid not in (0, 1):
            if process.pid in shims:
                return shims[process.pid]
            if process.pid == os.getpid():
                return self._shown(caller, shims) or Outside.NOBODY
            process = look(process.parent)
        if caller is None:
            return Outside.NOBODY  # it has gone and cannot be asked who it was
        return self._shown(caller, shims) or Outside.OWNER

    def _shown(self, caller: Process | None, shims: dict[int, Key]) -> Key | None:
        """Which living attempt an orphan shows that it belongs to."""
        if caller is None:
            return None
        if caller.session in shims:
            return shims[caller.session]
        living = {f"{agent}.{attempt}": (agent, attempt) for agent, attempt in shims.values()}
        name = attempt_in(own_cgroup(caller.pid), self._home.tag)
        if name is None:
            shown = marks(caller.pid)
            if shown.get(ENV_HOME) == str(self._home.directory):
                name = f"{shown.get(ENV_AGENT)}.{shown.get(ENV_ATTEMPT)}"
        return living.get(name or "")
