"""Resource limits by the controllers of cgroup v2, where they are available for the cgroups of agents.

A cgroup that passes controllers on holds no process itself. A manager that puts each new daemon into the unit's own
cgroup could never start a daemon beside running agents, so controllers are passed on only from cgroups in which no
manager puts processes: docs/internals/decisions/020-bounds-of-an-agent.md.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from contextlib import suppress
from pathlib import Path

from orchd.core.state.agents import Oom, Spec

LEAF = "daemon"  # in the delegated cgroup, where the daemon itself lives
_BY_BOUND = {"memory_max": "memory", "cpu_max": "cpu", "pids_max": "pids"}
_PERIOD = 100_000  # microseconds, the kernel's own
_LEAST = 1_000  # microseconds of quota, the kernel's own
_FRESH = 1.0  # seconds


def delegate(*levels: Path) -> None:
    """Enable all available controllers below each of these cgroups, outermost first."""
    for level in levels:
        for name in _BY_BOUND.values():
            with suppress(OSError):  # it is missing, or belongs to another user
                (level / "cgroup.subtree_control").write_text(f"+{name}")


def passed_on(level: Path) -> frozenset[str]:
    """Return the resource limits that the kernel enforces in cgroups below `level`."""
    try:
        names = (level / "cgroup.subtree_control").read_text().split()
    except OSError:
        return frozenset()
    return frozenset(bound for bound, name in _BY_BOUND.items() if name in names)


def bind(cgroup: Path, spec: Spec, bounds: Container[str]) -> None:
    """Write the limits of `spec` whose names are in `bounds` into a cgroup without members. Raises OSError."""
    if spec.memory_max is not None and "memory_max" in bounds:
        (cgroup / "memory.max").write_text(str(spec.memory_max))
        (cgroup / "memory.oom.group").write_text("1")  # half an agent is of no use
        with suppress(FileNotFoundError):  # a kernel without swap accounting
            (cgroup / "memory.swap.max").write_text("0")  # memory.max alone bounds no swap
    if spec.cpu_max is not None and "cpu_max" in bounds:
        (cgroup / "cpu.max").write_text(f"{max(int(spec.cpu_max * _PERIOD), _LEAST)} {_PERIOD}")
    if spec.pids_max is not None and "pids_max" in bounds:
        (cgroup / "pids.max").write_text(str(spec.pids_max))


def is_memory_bound(cgroup: Path) -> bool:
    """Return whether the kernel limits the memory of a cgroup."""
    try:
        return (cgroup / "memory.max").read_text().strip() != "max"
    except OSError:
        return False


def current(cgroup: Path) -> int:
    """Return the memory in use in bytes; 0 where the kernel does not report it."""
    try:
        return int((cgroup / "memory.current").read_text())
    except (OSError, ValueError):
        return 0


def oom(cgroup: Path) -> Oom | None:
    """Return why the kernel killed a member for want of memory: its own limit or the machine's; None if it did not."""
    try:
        lines = (cgroup / "memory.events").read_text().splitlines()
    except OSError:
        return None
    counts = {name: int(number) for name, _, number in (line.partition(" ") for line in lines)}
    if not counts.get("oom_kill"):
        return None
    return Oom.OWN if counts.get("oom") else Oom.MACHINE


def peak(cgroup: Path) -> int | None:
    """Return the peak of memory in bytes, if it is limited; None where the kernel does not report it."""
    try:
        return int((cgroup / "memory.peak").read_text()) if is_memory_bound(cgroup) else None
    except OSError:
        return None


class OomKillCounter:
    """Counts OOM kills on this machine. A reading takes a tenth of a millisecond, too long for each start."""

    def __init__(self, clock: Callable[[], float], vmstat: Path = Path("/proc/vmstat")) -> None:
        self._clock = clock
        self._vmstat = vmstat
        self._seen, self._at = 0, -_FRESH

    def lately(self) -> int:
        """Return the count of a moment ago."""
        return self.now() if self._clock() - self._at >= _FRESH else self._seen

    def now(self) -> int:
        """Return the count of now; 0 where the kernel does not report it."""
        self._at = self._clock()
        try:
            words = self._vmstat.read_text().split()
        except OSError:
            return 0
        self._seen = int(words[words.index("oom_kill") + 1]) if "oom_kill" in words else 0
        return self._seen
