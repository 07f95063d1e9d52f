"""Freezing attempts: nothing of a tree runs until it is thawed or stopped, with a cgroup and without."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from orchd.core.inputs import Spawned
from orchd.core.state.agents import Agent, agent_id
from orchd.instance.home import Home
from orchd.instance.system.own_cgroup import own_cgroup
from orchd.processes.linux.cgroups import Cgroups
from orchd.processes.linux.procfs import cpu_seconds, read_process
from orchd.processes.local import LocalProcesses
from tests.conftest import until
from tests.e2e.fleet import pids_in
from tests.support.attempts import ENV, agent

BUSY = "while :; do :; done"
# Starts a process again and again, each of which lives for a moment.
FORKS = "while :; do (:); done"


class Frost:
    """Attempts that use the processor, and what can be seen of that."""

    def __init__(self, home: Home, cgroups: Cgroups | None) -> None:
        home.create()
        self.home = home
        self.pids = home.directory / "pids"
        self.has_cgroups = cgroups is not None
        self.processes = LocalProcesses(home, lambda _: ENV, cgroups, time.monotonic, time.time)
        self.started: list[Agent] = []

    def start(self, script: str) -> Agent:
        """An attempt that runs this script in a shell."""
        new_agent = agent("sh", "-c", script, number=len(self.started) + 1)
        spawned = self.processes.start(new_agent)
        assert isinstance(spawned, Spawned)
        new_agent.pid, new_agent.cgroup = spawned.pid, spawned.cgroup
        self.started.append(new_agent)
        self.processes.release(new_agent.id, 1)
        return new_agent

    def written(self, count: int) -> list[int]:
        """The pids that the processes of attempts wrote, when there are this many."""
        until(lambda: len(pids_in(self.pids)) >= count)
        return pids_in(self.pids)

    def close(self) -> None:
        """End all attempts."""
        for started in self.started:
            self.processes.stop(started.id, 1, kill=True)

            def is_over(started: Agent = started) -> bool:
                self.processes.news()
                return (started.id, 1) not in self.processes.shims().values()

            until(is_over)
            with suppress(ChildProcessError):
                os.waitpid(started.pid or 0, 0)
        self.processes.rest()
        self.processes.close()


@pytest.fixture(params=["by-cgroup", "by-looking"])
def frost(home_directory: Path, request: pytest.FixtureRequest) -> Iterator[Frost]:
    """Attempts with a cgroup, and attempts without."""
    cgroups = request.getfixturevalue("cgroups") if request.param == "by-cgroup" else None
    new_frost = Frost(Home(home_directory), cgroups)
    yield new_frost
    new_frost.close()


def is_held(pid: int) -> bool:
    """Whether this process is stopped or frozen."""
    process = read_process(pid)
    own = own_cgroup(pid)
    frozen = own is not None and "frozen 1" in (own / "cgroup.events").read_text() if own != own_cgroup() else False
    return process is not None and (process.is_stopped or frozen)


def spends(pid: int) -> Callable[[], bool]:
    """Whether a process has used more CPU time than now."""
    before = cpu_seconds(pid)
    return lambda: cpu_seconds(pid) > before


def test_a_frozen_tree_uses_no_cpu_until_it_is_thawed(frost: Frost) -> None:
    agent = frost.start(f"echo $$ >> {frost.pids}; (echo $(exec sh -c 'echo $PPID') >> {frost.pids}; {BUSY}) & {BUSY}")
    pids = frost.written(2)
    frost.processes.freeze(agent.id, 1)
    until(lambda: all(map(is_held, pids)))
    used = [cpu_seconds(pid) for pid in pids]
    other = frost.start(f"echo $$ >> {frost.pids}; {BUSY}")
    (busy,) = frost.written(3)[2:]
    until(lambda: cpu_seconds(busy) > 0.1)
    assert [cpu_seconds(pid) for pid in pids] == used
    frost.processes.freeze(agent.id, 1)
    frost.processes.thaw(agent.id, 1)
    for pid in pids:
        until(spends(pid))
    frost.processes.thaw(agent.id, 1)
    assert not any(map(is_held, [*pids, busy, other.pid or 0]))


def test_a_constantly_forking_tree_is_frozen_completely(frost: Frost) -> None:
    agent = frost.start(f"echo $$ >> {frost.pids}; {FORKS} & {FORKS}")
    frost.written(1)
    frost.processes.freeze(agent.id, 1)
    tree = frost.processes._handles[agent.id, 1].tree
    until(lambda: all(is_held(pid) for pid in tree.members() if pid != agent.pid))
    before = set(tree.members())
    assert frost.processes.cpu_seconds(agent.id, 1) == frost.processes.cpu_seconds(agent.id, 1)
    assert set(tree.members()) == before


def test_an_attempt_that_is_frozen_behind_its_gate_does_not_begin(frost: Frost) -> None:
    new_agent = agent("sh", "-c", f"echo $$ >> {frost.pids}; {BUSY}")
    spawned = frost.processes.start(new_agent)
    assert isinstance(spawned, Spawned)
    new_agent.pid = spawned.pid
    frost.started.append(new_agent)
    frost.processes.freeze(new_agent.id, 1)
    frost.processes.release(new_agent.id, 1)
    until(lambda: is_held(spawned.pid))
    assert not frost.pids.exists()
    frost.processes.thaw(new_agent.id, 1)
    frost.written(1)


@pytest.mark.parametrize("kill", [False, True])
def test_a_frozen_tree_ends_when_it_is_stopped(frost: Frost, *, kill: bool) -> None:
    agent = frost.start(f"echo $$ >> {frost.pids}; {BUSY}")
    frost.written(1)
    frost.processes.freeze(agent.id, 1)
    frost.processes.stop(agent.id, 1, kill=kill)
    (ended,) = until(frost.processes.news)
    assert ended.outcome.code == (137 if kill else 143)


def test_a_nested_cgroup_frozen_by_an_agent_is_thawed(home_directory: Path, cgroups: Cgroups) -> None:
    frost = Frost(Home(home_directory), cgroups)
    try:
        agent = frost.start(f"echo $$ >> {frost.pids}; {BUSY}")
        (pid,) = frost.written(1)
        inner = Path(str(agent.cgroup)) / "a/b"
        inner.mkdir(parents=True)
        (inner / "cgroup.procs").write_text(str(pid))
        (inner / "cgroup.freeze").write_text("1")
        until(lambda: is_held(pid))
        frost.processes.thaw(agent.id, 1)
        until(spends(pid))
    finally:
        frost.close()


def test_a_process_that_left_the_cgroup_is_frozen_too(home_directory: Path, cgroups: Cgroups) -> None:
    frost = Frost(Home(home_directory), cgroups)
    try:
        agent = frost.start(f"echo $$ >> {frost.pids}; {BUSY}")
        (pid,) = frost.written(1)
        (cgroups.base.parent / "cgroup.procs").write_text(str(pid))
        frost.processes.freeze(agent.id, 1)
        until(lambda: is_held(pid))
        frost.processes.thaw(agent.id, 1)
        until(spends(pid))
        frost.processes.stop(agent.id, 1, kill=False)
        (ended,) = until(frost.processes.news)
        assert ended.outcome.code == 143
    finally:
        frost.close()


def test_cpu_time_of_a_tree_excludes_other_trees(frost: Frost) -> None:
    first = frost.start(f"echo $$ >> {frost.pids}; sh -c '{BUSY}'")
    frost.written(1)
    until(lambda: frost.processes.cpu_seconds(first.id, 1) > 0.2)
    frost.processes.stop(first.id, 1, kill=True)
    until(frost.processes.news)
    assert frost.processes.cpu_seconds(first.id, 1) == 0.0
    # the next attempt may get the cgroup of the first
    second = frost.start(f"echo $$ >> {frost.pids}; read x < {frost.pids}; sleep 600")
    frost.written(2)
    assert frost.processes.cpu_seconds(second.id, 1) < 0.2
    third = frost.start(f"echo $$ >> {frost.pids}; {BUSY}")
    (pid,) = frost.written(3)[2:]
    until(lambda: cpu_seconds(pid) > 0.1)
    assert 0.1 < frost.processes.cpu_seconds(third.id, 1) < 60
    assert frost.processes.cpu_seconds(second.id, 1) < 0.2


def test_freezing_or_thawing_an_unknown_attempt_does_nothing(frost: Frost) -> None:
    frost.processes.freeze(agent_id(9), 1)
    frost.processes.thaw(agent_id(9), 1)
    assert frost.processes.cpu_seconds(agent_id(9), 1) == 0.0
