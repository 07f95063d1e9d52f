"""Orphans that end between two looks: what they used is estimated."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field

import pytest

from orchd.processes.linux.orphan_cpu import Orphans
from orchd.processes.linux.procfs import Process, read_process

SHIM = 10


@dataclass
class Scene:
    """A tree with a shim and an agent, and a clock."""

    now: float = 100.0
    load: dict[int, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.orphans = Orphans(lambda pid: self.load.get(pid, 0.0))

    def look(self, *others: Process) -> float:
        """The time that is counted after another second."""
        self.now += 1.0
        agents = (Process(SHIM, 1, SHIM, 90.0, False), Process(11, SHIM, SHIM, 90.0, False))
        self.orphans.look({process.pid: process for process in (*agents, *others)}, SHIM, self.now)
        return self.orphans.seconds

    def orphan(self, pid: int, *, age: float, load: float) -> Process:
        """One that is this old at the next look."""
        self.load[pid] = load
        return Process(pid, 1, pid, self.now + 1.0 - age, False)


@pytest.fixture
def scene() -> Scene:
    """A scene without any look so far."""
    return Scene()


def test_an_orphan_chain_is_charged_the_load_of_its_newest_orphan(scene: Scene) -> None:
    assert scene.look(scene.orphan(20, age=0.5, load=0.5)) == 0.0
    assert scene.look(scene.orphan(21, age=0.02, load=0.01)) == pytest.approx(0.5)
    assert scene.look(scene.orphan(22, age=0.02, load=0.02), scene.orphan(23, age=0.5, load=0.0)) == pytest.approx(1.5)


def test_persistent_orphans_and_children_are_not_estimated(scene: Scene) -> None:
    stays = scene.orphan(20, age=0.5, load=0.5)
    scene.look(stays)
    assert scene.look(stays, Process(21, 20, 20, scene.now, False), Process(22, 11, SHIM, scene.now, False)) == 0.0


def test_a_reused_pid_continues_the_orphan_chain(scene: Scene) -> None:
    scene.look(scene.orphan(20, age=0.1, load=0.1))
    assert scene.look(scene.orphan(20, age=0.1, load=0.1)) == pytest.approx(1.0)


def test_load_of_an_orphan_is_limited_by_its_age(scene: Scene) -> None:
    scene.look()
    assert scene.look(scene.orphan(20, age=0.0, load=0.009)) == pytest.approx(0.9)
    assert scene.look(scene.orphan(21, age=0.0, load=0.5)) == pytest.approx(1.9)


def test_orphan_load_is_read_from_the_kernel() -> None:
    own = read_process(os.getpid())
    assert own is not None
    orphans = Orphans()
    now = time.clock_gettime(time.CLOCK_BOOTTIME)
    orphans.look({}, SHIM, now - 1.0)
    orphans.look({own.pid: own}, SHIM, now)
    assert orphans.seconds > 0.0
