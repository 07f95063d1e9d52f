"""CPU time and memory of whole process trees, sampled on request."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import psutil

from orchd.processes.linux.process_tree import ProcessTree
from orchd.processes.linux.procfs import all_processes


class Usage(NamedTuple):
    """Usage of a tree: CPU seconds so far, including children that ended and were waited for, and bytes of memory; with
    a memory limit also the peak, counted in the same way as the limit."""

    cpu_seconds: float
    rss_bytes: int
    memory_peak: int | None = None
    escaped: tuple[str, ...] = ()  # processes that left its cgroup


def of_trees(trees: Iterable[ProcessTree]) -> list[Usage]:
    """Return one sample of each tree, from one scan of /proc."""
    wanted = list(trees)
    processes = all_processes() if any(tree.needs_a_look_at_all() for tree in wanted) else None
    return [_of_pids(tree.members(processes)) for tree in wanted]


def _of_pids(pids: Iterable[int]) -> Usage:
    seconds, resident = 0.0, 0
    for pid in pids:
        try:
            process = psutil.Process(pid)
            with process.oneshot():
                times = process.cpu_times()
                resident += process.memory_info().rss
        except psutil.Error:
            continue
        seconds += times.user + times.system + times.children_user + times.children_system
    return Usage(round(seconds, 3), resident)
