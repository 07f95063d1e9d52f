"""An attempt's process tree: everything that came of it, wherever it hid, and how to end it.

With a cgroup the kernel knows the members. Without one they are the shim's session, its descendants, whatever carries
the attempt's marks in its environment, and all that is below those. Never a process by its name.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable
from dataclasses import dataclass

from orchd.procs.cgroups import Cgroup
from orchd.procs.procfs import Process, below, everyone, look, marks, own_children, send
from orchd.wire import ENV_AGENT, ENV_ATTEMPT, ENV_HOME

_BEGINNINGS = 20  # looks at a shim that may be about to begin its agent
_LOOKS = 100  # at children that vanish while they are being looked at


@dataclass(slots=True)
class Tree:
    """The processes of one attempt."""

    agent: str
    attempt: int
    home: str
    shim: int  # 0 when that pid may be another process's by now
    cgroup: Cgroup | None
    is_ours: bool = True  # our child: what it orphans comes to us

    def members(self, processes: dict[int, Process] | None = None) -> dict[int, Process]:
        """Everything of the tree that lives, the shim included, and never ourselves.

        `processes` is one look at the machine for many trees; without it the look is closer, and misses nobody.
        """
        if self.cgroup is not None:
            found = (look(pid) for pid in self.cgroup.members())
            return {process.pid: process for process in found if process is not None and not process.is_zombie}
        orphans = self._orphans if processes is None else dict
        processes = everyone() if processes is None else processes
        own = {pid for pid, process in processes.items() if self._is_in_session(process) or self._bears_marks(pid)}
        own |= {self.shim} & processes.keys()
        own.update(below(own, processes))
        own.discard(os.getpid())
        return {pid: processes[pid] for pid in own} | orphans()

    def _orphans(self) -> dict[int, Process]:
        """Those of it that came to us, found quickly: what forks and leaves is gone before /proc has been read."""
        found: dict[int, Process] = {}
        for _ in range(_LOOKS if self.is_ours else 0):
            children = own_children() or []
            seen = {pid: look(pid) for pid in reversed(children) if pid != self.shim and self._bears_marks(pid)}
            found = {pid: process for pid, process in seen.items() if process is not None}
            after = [look(pid) for pid in children]
            if found or not any(process is None or process.is_leaving for process in after):
                break
        return found

    def _is_in_session(self, process: Process) -> bool:
        return process.session == self.shim != 0  # 0 is the kernel's own session, and that of all outside a container

    def _bears_marks(self, pid: int) -> bool:
        found = marks(pid)
        return (
            found.get(ENV_AGENT) == self.agent
            and found.get(ENV_ATTEMPT) == str(self.attempt)
            and found.get(ENV_HOME) == self.home
        )

    def is_gone(self, shims: Iterable[int]) -> bool:
        """Whether nothing is left after the shim has ended; `shims` are our children that are none of its orphans."""
        if self.cgroup is not None:
            return self.cgroup.is_empty()
        if self.is_ours and _has_no_children_but(set(shims)):
            return True  # nobody was orphaned to us, so nobody of it is left: no need to look at every process
        return not self.members()

    def terminate(self) -> None:
        """SIGTERM to all of it but the shim, which has a record to write; what was stopped is woken, to end.

        A shim that has no agent yet is told itself, and then begins none, unless it was just about to.
        """
        for _ in range(_BEGINNINGS):
            if found := self._signalled():
                break
            shim = look(self.shim)
            if shim is None or shim.is_zombie:
                return
            send(shim, signal.SIGTERM)
        for process in found:
            send(process, signal.SIGTERM)
            send(process, signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL to all that there is now. The shim ends by itself once its agent has, with its record written."""
        shim = look(self.shim)
        if self.cgroup is not None and (shim is None or shim.is_zombie):
            self.cgroup.kill()
            return
        for process in reversed(self._signalled()):  # the latest found may be the first to slip away
            send(process, signal.SIGKILL)

    def _signalled(self) -> list[Process]:
        return [process for process in self.members().values() if process.pid != self.shim]


def _has_no_children_but(shims: set[int]) -> bool:
    """Whether all our children are surely among these. Whoever's end hid another from the first reading is itself
    missing from the second, so two that are the same have missed nobody."""
    found = own_children()
    return found is not None and shims.issuperset(found) and found == own_children()
