"""CPU time and memory of whole process trees, sampled when somebody asks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import psutil

from orchd.processes.linux.process_tree import ProcessTree
from orchd.processes.linux.procfs import all_processes


class Usage(NamedTuple):
    """What a tree uses: CPU seconds so far, of those also that have ended and were waited for, and bytes of memory; of
    one with a bound, also the most so far, counted as the bound is."""

    cpu_seconds: float
    rss_bytes: int
    memory_peak: int | None = None
    escaped: tuple[str, ...] = ()  # processes that left its cgroup


def of_trees(trees: Iterable[ProcessTree]) -> list[Usage]:
    """One sample of each tree, from one look at the machine."""
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
