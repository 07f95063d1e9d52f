"""Detects processes of an attempt that something other than orchd stopped or froze; computed on each call.

No event reports that a process was stopped or that a cgroup above it was frozen, and such an agent counts as at work.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from orchd.instance.system.own_cgroup import own_cgroup
from orchd.processes.linux.process_tree import ProcessTree
from orchd.processes.linux.procfs import name_of

_SHOWN = 5  # processes, or cgroups


class Suspension(NamedTuple):
    """What keeps all processes of an attempt from running, and the commands that let them run."""

    sentence: str
    way_out: str


def suspension(tree: ProcessTree) -> Suspension | None:
    """Return what suspends every process of the tree but its shim; None while any of them can run."""
    members = [process for pid, process in tree.members().items() if pid != tree.shim]
    if not members:
        return None
    frozen: dict[Path, None] = {}  # the frozen cgroups at or above a process that is not stopped
    for process in members:
        if process.is_stopped:
            continue
        own = own_cgroup(process.pid)
        if own is None or "frozen 1" not in _text(own / "cgroup.events"):
            return None
        above = [level for level in (own, *own.parents) if _text(level / "cgroup.freeze").strip() == "1"]
        if not above:
            return None
        frozen.update(dict.fromkeys(above))
    levels = list(frozen)[:_SHOWN]
    stopped = [process for process in members if process.is_stopped][:_SHOWN]
    causes, commands = [], []
    if levels:
        causes.append(f"froze {', '.join(map(str, levels))}")
        commands += [f"`echo 0 > {level}/cgroup.freeze`" for level in levels]
    if stopped:
        causes.append("stopped " + ", ".join(f"{name_of(process.pid)} (pid {process.pid})" for process in stopped))
        commands.append(f"`kill -CONT {' '.join(str(process.pid) for process in stopped)}`")
    sentence = f"it holds a slot but cannot run: something other than orchd {' and '.join(causes)}"
    return Suspension(sentence, " and ".join(commands))


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # the cgroup was removed meanwhile, or is the uppermost, which cannot be frozen
        return ""
