"""What is held of one attempt while anything of it is left: its tree, its files, its gate, and what was seen of it."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass

from orchd.procs import controllers, shim
from orchd.procs.launch import Files
from orchd.procs.trees import Tree


@dataclass(slots=True)
class Handle:
    """An attempt on this machine. Its gate is there until it is opened."""

    tree: Tree
    files: Files
    reports: bool = False
    gate: int | None = None
    is_killing: bool = False
    rss_bytes: int = 0
    log_size: int = 0
    looked: float = 0.0
    kills: int = 0
    peak: int | None = None

    def open_gate(self) -> None:
        """Let it run, if it does not yet."""
        if self.gate is not None:
            with suppress(BrokenPipeError):  # the shim was killed behind its gate: its end is news of its own
                os.write(self.gate, shim.GO)
            self.close_gate()

    def close_gate(self) -> None:
        """Have no gate any more: one that was not opened never will be."""
        if self.gate is not None:
            os.close(self.gate)
            self.gate = None

    def quiet_for(self, now: float, wall: float) -> float:
        """Seconds since its last output, as far back as it was last asked; `wall` is `now` by the calendar of files."""
        since = now - self.looked
        try:
            found = os.stat(self.files.log)  # noqa: PTH116 - its paths are strings
        except OSError:
            return since
        if found.st_size == self.log_size:
            return since
        ago = min(max(wall - found.st_mtime, 0.0), since)
        self.log_size, self.looked = found.st_size, now - ago
        return ago

    def memory_peak(self) -> int | None:
        """The most memory it took, in bytes, counted as its bound is."""
        found = controllers.peak(self.tree.cgroup.path) if self.tree.cgroup else None
        return self.peak if found is None else found
