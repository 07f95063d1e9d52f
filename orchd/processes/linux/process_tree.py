"""The process tree of an attempt: all its processes, however they detached, and how to end them.

It is a union: what is in the attempt's cgroup, where there is one; the shim's session and its descendants; what carries
the attempt's marks in its environment; and all that is below these. So a process that leaves one of them is a member by
the others. Never a process by its name.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from orchd.instance.environment import ENV_AGENT, ENV_ATTEMPT, ENV_HOME
from orchd.processes.linux.cgroups import Cgroup
from orchd.processes.linux.procfs import (
    Process,
    all_processes,
    below,
    below_now,
    children_of,
    environment_markers,
    is_reaper,
    name_of,
    own_children,
    read_process,
    send,
)

_BEGINNINGS = 20  # looks at a shim that may be about to begin its agent
_MOST_ESCAPED = 5
_LOOKS = 100  # at children that vanish while they are being looked at


@dataclass(slots=True)
class ProcessTree:
    """The processes of one attempt."""

    agent: str
    attempt: int
    home: str
    shim: int  # 0 when that pid may be another process's by now
    cgroup: Cgroup | None
    is_ours: bool = True  # our child: what it orphans comes to us
    shims: Collection[int] = ()  # pids that are none of its orphans
    is_shim_gone: bool = False
    _reaper: int = 0  # of an adopted tree: the process to which its orphans go, if that is known
    _escaped: dict[tuple[int, float], str] = field(default_factory=dict)  # names of processes seen outside its cgroup

    def members(self, processes: dict[int, Process] | None = None) -> dict[int, Process]:
        """Return all live processes of the tree, the shim included, and never ourselves.

        `processes` is one scan of /proc for many trees, used where the quick sources do not suffice.
        """
        self._check_shim()
        inside = self.inside()
        members = self._near(inside)
        if members is None:
            every = all_processes() if processes is None else processes
            every = {pid: process for pid, process in every.items() if pid != os.getpid()}  # nor what is below us
            own = {pid for pid, process in every.items() if self._is_own(process)}
            own |= {self.shim, *inside} & every.keys()
            own.update(below(own, every))
            members = {pid: every[pid] for pid in own} | inside
        for process in members.values() if self.cgroup is not None else ():
            if process.pid in inside or process.pid == self.shim or (process.pid, process.started) in self._escaped:
                continue
            if self.cgroup is None or len(self._escaped) == _MOST_ESCAPED or self.cgroup.holds(process.pid):
                continue  # it may have begun inside after these were listed
            name, now = name_of(process.pid), read_process(process.pid)
            if now is not None and now.started == process.started and not (now.is_zombie or now.is_leaving):
                self._escaped[process.pid, process.started] = f"{name} (pid {process.pid})"
        return members

    def escaped(self) -> tuple[str, ...]:
        """Return the processes that were seen outside the cgroup, at most a few."""
        return tuple(self._escaped.values())

    def inside(self) -> dict[int, Process]:
        """Return the members in the cgroup; empty without a cgroup."""
        processes = (read_process(pid) for pid in (self.cgroup.members() if self.cgroup is not None else ()))
        return {process.pid: process for process in processes if process is not None and not process.is_zombie}

    def _check_shim(self) -> None:
        """After the shim has ended its pid names its session only until another process has that pid: the kernel gives
        it to none while the session has members."""
        if self.is_shim_gone and self.shim and (other := read_process(self.shim)) is not None and not other.is_zombie:
            self.shim = 0

    def _near(self, inside: dict[int, Process]) -> dict[int, Process] | None:
        """Return the members without a scan of all processes: the shim, the cgroup, orphans, and all descendants of
        these. None when it is not known where its orphans are."""
        orphans: dict[int, Process] = {}
        for _ in range(_LOOKS):
            children = self._orphanage()
            if children is None:
                return None
            # reading these must be quick: an orphan that forks and exits is gone soon
            around = below_now(reversed(children)) if self.is_ours else _alive(children)
            orphans = {pid: process for pid, process in around.items() if self._is_own(process)}
            # none was missed if their parents were alive; a parent of an adopted tree may have zombies that it never
            # waits for, so two equal readings must do
            if orphans or (
                all(process is not None and not process.is_leaving for process in map(read_process, children))
                if self.is_ours
                else self._orphanage() == children
            ):
                break
        return inside | orphans | below_now([self.shim, *inside, *orphans])

    def _orphanage(self) -> list[int] | None:
        """Return the pids among which its orphans are: our children, or of an adopted tree the children of its shim's
        parent."""
        if self.is_ours:
            children = own_children() if is_reaper() else None
        else:
            shim = read_process(self.shim) if self.shim and not self.is_shim_gone else None
            self._reaper = self._reaper if shim is None else shim.parent
            children = children_of(self._reaper) if self._reaper else None
        if children is None:
            return None
        return [pid for pid in children if pid not in self.shims and pid not in (self.shim, os.getpid())]

    def needs_a_look_at_all(self) -> bool:
        """Return whether only a scan of all processes finds its members."""
        return self._orphanage() is None

    def _is_own(self, process: Process) -> bool:
        if process.session == self.shim != 0:  # 0 is the kernel's own session, and that of all outside a container
            return True
        markers = environment_markers(process.pid)
        return (
            markers.get(ENV_AGENT) == self.agent
            and markers.get(ENV_ATTEMPT) == str(self.attempt)
            and markers.get(ENV_HOME) == self.home
        )

    def is_gone(self, shims: Iterable[int]) -> bool:
        """Return whether no process is left after the end of the shim; `shims` are our children other than orphans."""
        if self.cgroup is not None and not self.cgroup.is_empty():
            return False
        if self.is_ours and _has_no_children_but(set(shims)):
            return True  # we have no orphans, so none of the tree is left: no need to scan all processes
        return not self.members()

    def is_left_to_shim(self) -> bool:
        """Return whether only the shim is left; quick while we have no orphans."""
        if children_of(self.shim):
            return False
        return _has_no_children_but(set(self.shims)) or set(self.members()) == {self.shim}

    def terminate(self) -> None:
        """Send SIGTERM to all but the shim, which has a record to write; wake stopped and frozen processes.

        A shim that has no agent yet gets the signal itself, and then begins none, unless it was just about to.
        """
        for _ in range(_BEGINNINGS):
            if processes := self._signalled():
                break
            shim = read_process(self.shim)
            if shim is None or shim.is_zombie:
                break
            send(shim, signal.SIGTERM)
        for process in processes:
            send(process, signal.SIGTERM)
            send(process, signal.SIGCONT)
        self.wake_shim()

    def ask(self) -> bool:
        """Send SIGTERM to the child of the shim alone, which ends the rest of the tree itself; wake it if it was
        stopped or frozen. Returns whether there was a child."""
        processes = _alive(children_of(self.shim) or ()).values()
        for process in processes:
            send(process, signal.SIGTERM)
        for process in self._signalled():
            send(process, signal.SIGCONT)
        self.wake_shim()
        return bool(processes)

    def kill(self) -> None:
        """Send SIGKILL to all current members but the shim, which writes its record and ends after its agent."""
        shim = read_process(self.shim)
        if self.cgroup is not None and (self.is_shim_gone or shim is None or shim.is_zombie):
            self.cgroup.kill()
        for process in reversed(self._signalled()):  # the latest found may be the first to slip away
            send(process, signal.SIGKILL)
        self.wake_shim()

    def wake_shim(self) -> None:
        """Wake the shim, whatever froze or stopped it, so that it can write its record."""
        self._check_shim()
        shim = read_process(self.shim) if self.shim and not self.is_shim_gone else None
        if self.cgroup is not None:
            self.cgroup.thaw()
            if shim is not None and not self.cgroup.holds(self.shim):
                self.cgroup.take_back(self.shim)  # where it was moved to may be frozen
        if shim is not None:
            send(shim, signal.SIGCONT)

    def _signalled(self) -> list[Process]:
        return [process for process in self.members().values() if process.pid != self.shim]


def _alive(pids: Iterable[int]) -> dict[int, Process]:
    processes = {pid: read_process(pid) for pid in pids}
    return {pid: process for pid, process in processes.items() if process is not None and not process.is_zombie}


def _has_no_children_but(shims: set[int]) -> bool:
    """Return whether all our children are surely among these. A child whose end hid another from the first reading is
    missing from the second, so two equal readings have missed none."""
    children = own_children()
    return children is not None and shims.issuperset(children) and children == own_children()
