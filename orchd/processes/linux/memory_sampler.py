"""How much memory trees take that have a bound: looked at again and again, and cheaply. Where the kernel holds the
bound of a cgroup, only what has left it is counted.

What a process maps (RSS) is quick to read and counts what processes share once for each of them. Only a tree that is
too heavy by that is weighed again with what is shared divided among those who share it (PSS), for which the kernel
looks at every page.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Iterable, Mapping
from typing import Generic, NamedTuple, TypeVar

from orchd.instance.environment import ENV_AGENT, ENV_ATTEMPT, ENV_HOME
from orchd.processes.linux import controllers
from orchd.processes.linux.process_tree import ProcessTree
from orchd.processes.linux.procfs import PROC, all_processes, environment_markers

Key = TypeVar("Key")
PAUSE = 1.0  # seconds between two looks
HURRY = 0.2  # the same, while somebody takes more than half of what it may
_PAGE = resource.getpagesize()
_Owner = tuple[str | None, ...]


class MemorySample(NamedTuple):
    """Bytes that a tree takes, and may take."""

    amount: int
    bound: int


class MemorySampler(Generic[Key]):
    """Weighs, at most as often as is needed, and never while nobody has a bound."""

    def __init__(self) -> None:
        self._trees: dict[Key, tuple[ProcessTree, int]] = {}
        self._due: float | None = None
        self._known: dict[tuple[int, float], _Owner] = {}  # what a process shows as its own never changes

    def put(self, key: Key, tree: ProcessTree, bound: int) -> None:
        """Weigh this one from now on; it may take that many bytes."""
        self._trees[key] = (tree, bound)

    def take(self, key: Key) -> None:
        """Weigh it no more, if it was."""
        self._trees.pop(key, None)

    def next_deadline(self, now: float) -> float | None:
        """When to weigh again; None while there is nothing to be weighed."""
        if not self._trees:
            self._due, self._known = None, {}
        elif self._due is None:
            self._due = now + HURRY
        return self._due

    def weigh(self, now: float) -> dict[Key, MemorySample]:
        """All of them, if it is time; and a hurry when somebody is near their bound."""
        if not self._trees or self._due is None or self._due > now:
            return {}
        members = {key: list(tree.members()) if tree.cgroup else [] for key, (tree, _) in self._trees.items()}
        if loose := {key: tree for key, (tree, _) in self._trees.items() if tree.cgroup is None}:
            for pid, key in self._owners(loose).items():
                members[key].append(pid)
        amounts = {key: _amount(tree, members[key], bound) for key, (tree, bound) in self._trees.items()}
        samples = {key: MemorySample(amount, self._trees[key][1]) for key, amount in amounts.items()}
        self._due = now + (HURRY if any(2 * sample.amount > sample.bound for sample in samples.values()) else PAUSE)
        return samples

    def _owners(self, trees: Mapping[Key, ProcessTree]) -> dict[int, Key]:
        """Whose each process is, by one look at the machine: by session or marks, or else as the process above it."""
        processes = all_processes()
        sessions = {tree.shim: key for key, tree in trees.items() if tree.shim}
        owners = {(tree.home, tree.agent, str(tree.attempt)): key for key, tree in trees.items()}
        shown: dict[int, _Owner] = {}
        for pid, process in processes.items():
            known = self._known.get((pid, process.started))
            if known is None:
                found_marks = environment_markers(pid)
                known = tuple(found_marks.get(name) for name in (ENV_HOME, ENV_AGENT, ENV_ATTEMPT))
            shown[pid] = known
        self._known = {(pid, processes[pid].started): owner for pid, owner in shown.items()}
        keys: dict[int, Key] = {}
        # who is above began earlier, if not adopted
        for pid, process in sorted(processes.items(), key=lambda item: item[1].started):
            key = sessions.get(process.session, owners.get(shown[pid], keys.get(process.parent)))  # type: ignore[arg-type]
            if key is not None and pid != os.getpid():
                keys[pid] = key
        return keys


def _amount(tree: ProcessTree, pids: list[int], bound: int) -> int:
    """What a tree takes; nothing while the kernel bounds all of it. What left the cgroup is not bounded any more, and
    is counted together with what the kernel counts."""
    if tree.cgroup is None or not controllers.is_memory_bound(tree.cgroup.path):
        return _weight(pids, bound)
    inside = tree.inside()
    outside = [pid for pid in pids if pid not in inside]
    return controllers.current(tree.cgroup.path) + _weight(outside, bound) if outside else 0


def _weight(pids: Iterable[int], bound: int) -> int:
    mapped = {pid: _mapped(pid) for pid in pids}
    whole = sum(mapped.values())
    return whole if whole <= bound else sum(_own(pid, most) for pid, most in mapped.items())


def _mapped(pid: int) -> int:
    """All that it maps and that is in memory; nothing of one that has ended."""
    try:
        return int((PROC / str(pid) / "statm").read_bytes().split()[1]) * _PAGE
    except OSError:
        return 0


def _own(pid: int, otherwise: int) -> int:
    """The same, with its part of what it shares; of one that cannot be looked into, all of it."""
    try:
        rollup = (PROC / str(pid) / "smaps_rollup").read_bytes()
    except PermissionError:
        return otherwise
    except OSError:  # it has ended
        return 0
    words = rollup.split()
    return int(words[words.index(b"Pss:") + 1]) << 10 if b"Pss:" in words else 0
