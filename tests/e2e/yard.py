"""Cgroups outside orchd: what something else on the machine does to processes of agents."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

from orchd.instance.system.own_cgroup import own_cgroup
from tests.conftest import until


class Yard:
    """Cgroups of the test's own, that no daemon knows of."""

    def __init__(self) -> None:
        self._made: list[Path] = []

    def make(self, above: Path | None = None) -> Path:
        """A new one."""
        base = above or own_cgroup()
        assert base is not None
        self._made.append(base / f"yard-{os.getpid()}-{time.monotonic_ns()}")
        self._made[-1].mkdir()
        return self._made[-1]

    def put(self, pid: int, *, above: Path | None = None, freeze: bool) -> Path | None:
        """Move a process into a new one; None when it has ended."""
        cgroup = self.make(above)
        with suppress(ProcessLookupError):
            (cgroup / "cgroup.procs").write_text(str(pid))
            if freeze:
                (cgroup / "cgroup.freeze").write_text("1")
            return cgroup
        return None

    def close(self) -> None:
        """Remove the cgroups."""
        for cgroup in self._made:
            with suppress(FileNotFoundError):  # with the agent's cgroup above it
                (cgroup / "cgroup.freeze").write_text("0")
                until(lambda: is_removed(cgroup), what=str(cgroup))  # noqa: B023


def is_removed(cgroup: Path) -> bool:
    """Whether this cgroup is gone now."""
    try:
        cgroup.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
