"""Memory of trees with a limit, sampled cheaply.

Where the kernel enforces the limit of a cgroup, only processes that left it are counted.

What a process maps (RSS) is quick to read and counts what processes share once for each of them. Only a tree that is
too heavy by that is sampled again with shared pages divided among their users (PSS), for which the kernel looks at
every page.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Generic, NamedTuple, TypeVar

from orchd.instance.environment import ENV_AGENT, ENV_ATTEMPT, ENV_HOME
from orchd.processes.linux import controllers
from orchd.processes.linux.process_tree import ProcessTree
from orchd.processes.linux.procfs import PROC, all_processes, environment_markers

Key = TypeVar("Key")
PAUSE = 1.0  # seconds between two looks
HURRY = 0.2  # the same, while a tree uses more than half of its limit
_PAGE = resource.getpagesize()
_Owner = tuple[str | None, ...]


class MemorySample(NamedTuple):
    """Memory of a tree and its limit, in bytes."""

    amount: int
    bound: int


class MemorySampler(Generic[Key]):
    """Samples trees with a limit, no more often than needed, and never without any."""

    def __init__(self) -> None:
        self._trees: dict[Key, tuple[ProcessTree, int]] = {}
        self._due: float | None = None
        self._known: dict[tuple[int, float], _Owner] = {}  # what a process shows as its own never changes

    def put(self, key: Key, tree: ProcessTree, bound: int) -> None:
        """Sample a tree from now on; `bound` is its limit in bytes."""
        self._trees[key] = (tree, bound)

    def take(self, key: Key) -> None:
        """Stop sampling a tree, if it was sampled."""
        self._trees.pop(key, None)

    def next_deadline(self, now: float) -> float | None:
        """Return the time of the next sample; None without trees."""
        if not self._trees:
            self._due, self._known = None, {}
        elif self._due is None:
            self._due = now + HURRY
        return self._due

    def weigh(self, now: float) -> dict[Key, MemorySample]:
        """Return samples of all trees if they are due; the next follow sooner when a tree is near its limit."""
        if not self._trees or self._due is None or self._due > now:
            return {}
        members = {key: list(tree.members()) if tree.cgroup else [] for key, (tree, _) in self._trees.items()}
        if loose := {key: tree for key, (tree, _) in self._trees.items() if tree.cgroup is None}:
            for pid, key in self._owners(loose).items():
                members[key].append(pid)
        samples: dict[Key, MemorySample] = {}
        for key, (tree, bound) in self._trees.items():
            if tree.cgroup is None or not controllers.is_memory_bound(tree.cgroup.path):
                amount = _weight(members[key], bound)
            else:  # the kernel limits all but the processes that left the cgroup: with these its own count counts
                inside = tree.inside()
                outside = [pid for pid in members[key] if pid not in inside]
                amount = controllers.current(tree.cgroup.path) + _weight(outside, bound) if outside else 0
            samples[key] = MemorySample(amount, bound)
        self._due = now + (HURRY if any(2 * sample.amount > sample.bound for sample in samples.values()) else PAUSE)
        return samples

    def _owners(self, trees: Mapping[Key, ProcessTree]) -> dict[int, Key]:
        """Return the tree of each process from one scan of /proc: by session or markers, else that of its parent."""
        processes = all_processes()
        sessions = {tree.shim: key for key, tree in trees.items() if tree.shim}
        owners = {(tree.home, tree.agent, str(tree.attempt)): key for key, tree in trees.items()}
        marked: dict[int, _Owner] = {}
        for pid, process in processes.items():
            owner = self._known.get((pid, process.started))
            if owner is None:
                markers = environment_markers(pid)
                owner = tuple(markers.get(name) for name in (ENV_HOME, ENV_AGENT, ENV_ATTEMPT))
            marked[pid] = owner
        self._known = {(pid, processes[pid].started): owner for pid, owner in marked.items()}
        keys: dict[int, Key] = {}
        # a parent began earlier than its child, unless it adopted the child
        for pid, process in sorted(processes.items(), key=lambda item: item[1].started):
            key = sessions.get(process.session, owners.get(marked[pid], keys.get(process.parent)))  # type: ignore[arg-type]
            if key is not None and pid != os.getpid():
                keys[pid] = key
        return keys


def _weight(pids: Iterable[int], bound: int) -> int:
    """Return the RSS of all these processes in bytes, or their PSS if that is more than `bound`."""
    resident: dict[int, int] = {}
    for pid in pids:
        resident[pid] = 0
        with suppress(OSError):  # it has ended
            resident[pid] = int((PROC / str(pid) / "statm").read_bytes().split()[1]) * _PAGE
    whole = sum(resident.values())
    return whole if whole <= bound else sum(_pss(pid, most) for pid, most in resident.items())


def _pss(pid: int, otherwise: int) -> int:
    """Return the PSS in bytes; `otherwise` for a process that cannot be inspected."""
    try:
        rollup = (PROC / str(pid) / "smaps_rollup").read_bytes()
    except PermissionError:
        return otherwise
    except OSError:  # it has ended
        return 0
    words = rollup.split()
    return int(words[words.index(b"Pss:") + 1]) << 10 if b"Pss:" in words else 0
