"""Bounds that the kernel holds: the controllers of cgroup v2, where they can be had for the cgroups of agents.

A cgroup that passes controllers on holds no process itself. A manager that puts each new daemon into the unit's own
cgroup could never start another one beside agents that live, so that they are passed on only from where no manager puts
anybody: docs/decisions/020-bounds-of-an-agent.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from orchd.core.state.agents import Oom, Spec

LEAF = "daemon"  # in the delegated cgroup, where the daemon itself lives
_BY_BOUND = {"memory_max": "memory", "cpu_max": "cpu", "pids_max": "pids"}
_PERIOD = 100_000  # microseconds, the kernel's own
_LEAST = 1_000  # microseconds of quota, the kernel's own
_FRESH = 1.0  # seconds


def delegate(*levels: Path) -> None:
    """Have what is below each of these, outermost first, bounded by as many of our controllers as there are."""
    for level in levels:
        for name in _BY_BOUND.values():
            with suppress(OSError):  # it is not there, or it is somebody else's
                (level / "cgroup.subtree_control").write_text(f"+{name}")


def passed_on(level: Path) -> frozenset[str]:
    """The bounds that the kernel holds in cgroups below `level`."""
    try:
        names = (level / "cgroup.subtree_control").read_text().split()
    except OSError:
        return frozenset()
    return frozenset(bound for bound, name in _BY_BOUND.items() if name in names)


def bind(cgroup: Path, spec: Spec, held: Iterable[str]) -> None:
    """Write down those bounds of `spec` that are `held` here, while nobody is in it yet. Raises OSError."""
    if spec.memory_max is not None and "memory_max" in held:
        (cgroup / "memory.max").write_text(str(spec.memory_max))
        (cgroup / "memory.oom.group").write_text("1")  # half an agent is of no use
        with suppress(
            FileNotFoundError
        ):  # the kernel counts no swap; where it does, a bound is not one if it is left open
            (cgroup / "memory.swap.max").write_text("0")
    if spec.cpu_max is not None and "cpu_max" in held:
        (cgroup / "cpu.max").write_text(f"{max(int(spec.cpu_max * _PERIOD), _LEAST)} {_PERIOD}")
    if spec.pids_max is not None and "pids_max" in held:
        (cgroup / "pids.max").write_text(str(spec.pids_max))


def is_memory_bound(cgroup: Path) -> bool:
    """Whether the kernel bounds what is in it."""
    try:
        return (cgroup / "memory.max").read_text().strip() != "max"
    except OSError:
        return False


def current(cgroup: Path) -> int:
    """The bytes that are in use in it; 0 where the kernel does not say."""
    try:
        return int((cgroup / "memory.current").read_text())
    except (OSError, ValueError):
        return 0


def oom(cgroup: Path) -> Oom | None:
    """For whose want of memory the kernel ended something in it, since it was made."""
    try:
        lines = (cgroup / "memory.events").read_text().splitlines()
    except OSError:
        return None
    counts = {name: int(number) for name, _, number in (line.partition(" ") for line in lines)}
    if not counts.get("oom_kill"):
        return None
    return Oom.OWN if counts.get("oom") else Oom.MACHINE


def peak(cgroup: Path) -> int | None:
    """The most bytes that were ever in use in it, if they are bounded; None where the kernel does not say."""
    try:
        return int((cgroup / "memory.peak").read_text()) if is_memory_bound(cgroup) else None
    except OSError:
        return None


class OomKillCounter:
    """How many processes of this machine the kernel has ended for want of memory. To look takes a tenth of a
    millisecond, too long for each start of an agent."""

    def __init__(self, clock: Callable[[], float], vmstat: Path = Path("/proc/vmstat")) -> None:
        self._clock = clock
        self._vmstat = vmstat
        self._seen, self._at = 0, -_FRESH

    def lately(self) -> int:
        """As of a moment ago."""
        return self.now() if self._clock() - self._at >= _FRESH else self._seen

    def now(self) -> int:
        """As of now; 0 where the kernel does not say."""
        self._at = self._clock()
        try:
            words = self._vmstat.read_text().split()
        except OSError:
            return 0
        self._seen = int(words[words.index("oom_kill") + 1]) if "oom_kill" in words else 0
        return self._seen
