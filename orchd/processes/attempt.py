"""One running attempt: its process tree, its files, its shim and the measurements of it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from orchd.processes.attempt_files import AttemptFiles
from orchd.processes.linux import controllers
from orchd.processes.linux.orphan_cpu import Orphans
from orchd.processes.linux.process_tree import ProcessTree
from orchd.processes.linux.procfs import Process, cpu_seconds, delay_seconds
from orchd.processes.linux.usage import Usage
from orchd.processes.shims.shim import Shim


@dataclass(slots=True)
class RunningAttempt:
    """An attempt on this machine. The shim of an adopted attempt takes no commands from this daemon."""

    tree: ProcessTree
    files: AttemptFiles
    reports: bool = False
    shim: Shim | None = None
    pid: int = 0  # of its shim, also when that has ended
    is_released: bool = False
    is_killing: bool = False
    is_frozen: bool = False
    asks_runner: bool = False  # whether its runner alone is asked to end first, and ends its CLI itself
    is_shim_killed: bool = False  # by us, because it could not be brought to report
    agents: list[int] = field(default_factory=list)  # pids of its shim's children that are watched
    idle_looks: int = 0
    cpu_before: float = 0.0  # seconds that its shim had spent on others
    cpu_base: float | None = None  # seconds that its cgroup had spent on others, since the first look
    orphans: Orphans = field(default_factory=Orphans)
    rss_bytes: int = 0
    log_size: int = 0
    looked: float = 0.0
    kills: int = 0
    peak: int | None = None

    def release(self) -> None:
        """Open the gate, unless it is open."""
        if self.shim is not None and not self.is_released:
            self.is_released = True
            self.shim.open()

    def quiet_for(self, now: float, wall: float) -> float:
        """Return seconds since the last output, at most since the last call; `wall` is `now` in file times."""
        since = now - self.looked
        try:
            status = os.stat(self.files.log, follow_symlinks=False)  # noqa: PTH116 - its paths are strings
        except OSError:
            return since
        if status.st_size == self.log_size:
            return since
        ago = min(max(wall - status.st_mtime, 0.0), since)
        self.log_size, self.looked = status.st_size, now - ago
        return ago

    def cpu_seconds(self, members: dict[int, Process] | None = None) -> float:
        """Return CPU seconds of the tree, without earlier attempts in the same shim and cgroup."""
        cgroup, members = self.tree.cgroup, self.tree.members() if members is None else members
        counted = cgroup.cpu_seconds() if cgroup is not None else None
        if counted is None:
            return round(max(sum(map(cpu_seconds, members)) - self.cpu_before, 0.0), 3)
        inside = self.tree.inside()
        if self.cpu_base is None:
            self.cpu_base = counted - max(sum(map(cpu_seconds, inside)) - self.cpu_before, 0.0)
        outside = sum(cpu_seconds(pid) for pid in members if pid not in inside)
        return round(max(counted - self.cpu_base, 0.0) + outside, 3)

    def load_seconds(self, now: float) -> tuple[float, float]:
        """Return the CPU seconds of its tree, and the seconds for which its processes waited for a CPU.

        Without a cgroup an estimate of what ended orphans used is part of it. `now` is in seconds after boot.
        """
        members = self.tree.members()
        if self.tree.cgroup is None:
            self.orphans.look(members, self.tree.shim, now)
        return self.cpu_seconds(members) + self.orphans.seconds, sum(map(delay_seconds, members))

    def shown(self, usage: Usage) -> Usage:
        """Return `usage` without what the shim spent on earlier attempts, and with the peak of memory."""
        spent = round(max(usage.cpu_seconds - self.cpu_before, 0.0), 3)
        return Usage(spent, usage.rss_bytes, self.memory_peak(), self.tree.escaped())

    def memory_peak(self) -> int | None:
        """Return the peak of memory in bytes, counted in the same way as its limit."""
        cgroup = self.tree.cgroup
        peak = controllers.peak(cgroup.path) if cgroup is not None and cgroup.is_bound else None
        return self.peak if peak is None else max(peak, self.peak or 0)
