"""Detects processes of an attempt that something other than orchd stopped or froze; computed on each call.

No event reports that a process was stopped or that a cgroup above it was frozen, and such an agent counts as at work.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from orchd.instance.system.own_cgroup import own_cgroup
from orchd.processes.linux.process_tree import ProcessTree
from orchd.processes.linux.procfs import Process, name_of

_SHOWN = 5  # processes, or cgroups


class Suspension(NamedTuple):
    """What keeps all processes of an attempt from running, and the commands that let them run."""

    sentence: str
    way_out: str


def suspension(tree: ProcessTree) -> Suspension | None:
    """Return what suspends every process of the tree but its shim; None while any of them can run."""
    members = [process for pid, process in tree.members().items() if pid != tree.shim]
    stopped = [process for process in members if process.is_stopped]
    frozen = [level for process in members if not process.is_stopped for level in [_frozen_at(process)]]
    if not members or not all(frozen):
        return None
    levels = list(dict.fromkeys(level for paths in frozen for level in paths))[:_SHOWN]
    stopped = stopped[:_SHOWN]
    causes, commands = [], []
    if levels:
        causes.append(f"froze {', '.join(map(str, levels))}")
        commands += [f"`echo 0 > {level}/cgroup.freeze`" for level in levels]
    if stopped:
        causes.append("stopped " + ", ".join(f"{name_of(process.pid)} (pid {process.pid})" for process in stopped))
        commands.append(f"`kill -CONT {' '.join(str(process.pid) for process in stopped)}`")
    sentence = f"it holds a slot and cannot run: something other than orchd {' and '.join(causes)}"
    return Suspension(sentence, " and ".join(commands))


def _frozen_at(process: Process) -> list[Path]:
    """Return the frozen cgroups at or above this process; empty while it can run."""
    own = own_cgroup(process.pid)
    if own is None or "frozen 1" not in _text(own / "cgroup.events"):
        return []
    return [level for level in (own, *own.parents) if _text(level / "cgroup.freeze").strip() == "1"]


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # the cgroup was removed meanwhile, or is the uppermost, which cannot be frozen
        return ""
