"""Estimates the CPU time of orphans that end between two samples: no process is left that counted it.

Where there is no cgroup the CPU time of a tree is that of its processes, each with what it waited for. No process
waits for an orphan: the kernel reaps the daemon's orphans, so that a chain of processes of which each forks the next
and ends works unseen. What a look does show is an orphan that was not there before, how old it is, and for which part
of its time it ran or was ready to run. The chain is taken to have done that since the look before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from orchd.processes.linux.procfs import Process, load_of

_TICK = 0.01  # seconds: start times are no more exact


@dataclass(slots=True)
class Orphans:
    """The orphans of one tree. `seconds` is an estimate of the CPU time of the ended orphans, including the time for
    which they waited for a CPU."""

    load: Callable[[int], float] = load_of
    seconds: float = 0.0
    _known: frozenset[tuple[int, float]] | None = None
    _looked: float = 0.0

    def look(self, members: Mapping[int, Process], shim: int, now: float) -> None:
        """Count orphans that came and went since the last call; the first call counts nothing.

        `now` is in seconds after boot, as start times are.
        """
        orphans = [process for process in members.values() if process.parent not in members and process.pid != shim]
        if self._known is not None:
            new = [process for process in orphans if (process.pid, process.started) not in self._known]
            self.seconds += (now - self._looked) * max(
                (min(self.load(process.pid) / max(now - process.started, _TICK), 1.0) for process in new), default=0.0
            )
        self._known, self._looked = frozenset((process.pid, process.started) for process in orphans), now
