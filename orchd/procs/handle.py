"""What is held of one attempt while anything of it is left: its tree, its files, its shim, and what was seen of it."""

from __future__ import annotations

import os
from dataclasses import dataclass

from orchd.procs import controllers
from orchd.procs.files import Files
from orchd.procs.successors import Shim
from orchd.procs.trees import Tree
from orchd.procs.usage import Usage


@dataclass(slots=True)
class Handle:
    """An attempt on this machine. One that was adopted has its shim, but that is not ours to tell anything."""

    tree: Tree
    files: Files
    reports: bool = False
    shim: Shim | None = None
    is_released: bool = False
    is_killing: bool = False
    cpu_before: float = 0.0  # seconds that its shim had spent on others
    rss_bytes: int = 0
    log_size: int = 0
    looked: float = 0.0
    kills: int = 0
    peak: int | None = None

    def release(self) -> None:
        """Let it run, if it does not yet."""
        if self.shim is not None and not self.is_released:
            self.is_released = True
            self.shim.open()

    def quiet_for(self, now: float, wall: float) -> float:
        """Seconds since its last output, as far back as it was last asked; `wall` is `now` by the calendar of files."""
        since = now - self.looked
        try:
            found = os.stat(self.files.log, follow_symlinks=False)  # noqa: PTH116 - its paths are strings
        except OSError:
            return since
        if found.st_size == self.log_size:
            return since
        ago = min(max(wall - found.st_mtime, 0.0), since)
        self.log_size, self.looked = found.st_size, now - ago
        return ago

    def shown(self, usage: Usage) -> Usage:
        """What its tree uses, without what its shim spent on others, and with the most that it took."""
        spent = round(max(usage.cpu_seconds - self.cpu_before, 0.0), 3)
        return Usage(spent, usage.rss_bytes, self.memory_peak())

    def memory_peak(self) -> int | None:
        """The most memory it took, in bytes, counted as its bound is."""
        cgroup = self.tree.cgroup
        found = controllers.peak(cgroup.path) if cgroup is not None and cgroup.is_bound else None
        return self.peak if found is None else found
