"""Freezing attempts: nothing of a tree can run until it is thawed.

With a cgroup the kernel freezes what is in it, the shim included, and members that left it are stopped by SIGSTOP.
Without a cgroup all members are, except for a shim that waits for its agent.
"""

from __future__ import annotations

import signal

from orchd.processes.linux.process_tree import ProcessTree
from orchd.processes.linux.procfs import send

_ROUNDS = 100  # looks at a tree whose processes fork while they are being stopped


def freeze(tree: ProcessTree) -> None:
    """Keep every process of the tree from running. A second call stops nothing more."""
    is_frozen = tree.cgroup is not None and tree.cgroup.freeze()
    stopped: set[tuple[int, float]] = set()
    for _ in range(_ROUNDS):
        members = tree.members()
        skipped = set(tree.inside()) if is_frozen else set()
        if is_frozen or len(members) > 1:
            skipped.add(tree.shim)  # it only waits; alone, it is about to begin its agent
        others = [process for process in members.values() if process.pid not in skipped]
        new = [process for process in others if (process.pid, process.started) not in stopped]
        if not new:
            return
        for process in new:
            send(process, signal.SIGSTOP)
            stopped.add((process.pid, process.started))


def thaw(tree: ProcessTree) -> None:
    """Let all processes of the tree run, whatever froze or stopped them."""
    tree.wake_shim()
    for process in tree.members().values():
        send(process, signal.SIGCONT)
