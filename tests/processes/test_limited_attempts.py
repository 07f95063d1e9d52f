"""Bounds of attempts, enforced by the kernel or by samples, and the reasons of attempts that exceed one."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchd.core.inputs import Adopted, Exited, OverMemory, Spawned, SpawnFailed
from orchd.core.state.agents import Agent, Oom
from orchd.instance.home import Home
from orchd.processes.linux.cgroups import Cgroup, Cgroups
from orchd.processes.linux.controllers import OomKillCounter
from orchd.processes.local import LocalProcesses
from tests.conftest import until
from tests.support.attempts import ENV, agent, left, local


class Bounding(Cgroups):
    """Cgroups in which the kernel enforces every bound, as far as their files show: no process is ever in them."""

    def __init__(self, base: Path) -> None:
        super().__init__(base)
        self.bounds = frozenset({"memory_max", "cpu_max", "pids_max"})

    def take(self) -> Cgroup:
        cgroup = Cgroup(self.base / "1")
        cgroup.path.mkdir()
        (cgroup.path / "cgroup.procs").touch()
        (cgroup.path / "cgroup.events").write_text("populated 0\nfrozen 0\n")
        return cgroup


def bounded(home: Home, directory: Path) -> LocalProcesses:
    """The processes of a daemon whose kernel holds bounds."""
    home.create()
    return LocalProcesses(home, lambda _: ENV, Bounding(directory), time.monotonic, time.time)


def ended(processes: LocalProcesses, agent: Agent) -> Exited:
    """Open the gate of a started attempt; its end."""
    processes.release(agent.id, 1)
    (exited,) = until(processes.news)
    assert isinstance(exited, Exited)
    return exited


def test_limits_are_set_before_the_start_and_kernel_events_read_at_the_end(
    home_directory: Path, tmp_path: Path
) -> None:
    processes = bounded(Home(home_directory), tmp_path)
    assert processes.held() == {"memory_max": "kernel", "cpu_max": "kernel", "pids_max": "kernel"}
    new_agent = agent("sh", "-c", "kill -9 $$", memory_max=1 << 20, cpu_max=0.5, pids_max=9)
    assert isinstance(processes.start(new_agent), Spawned)
    assert (tmp_path / "1/memory.max").read_text() == "1048576"
    assert (tmp_path / "1/cpu.max").read_text() == "50000 100000"
    assert (tmp_path / "1/pids.max").read_text() == "9"
    processes._clock = lambda: time.monotonic() + 9.0
    assert processes.next_deadline() is not None
    assert processes.news() == []  # nothing has left its cgroup
    processes._clock = time.monotonic
    (tmp_path / "1/memory.events").write_text("oom 1\noom_kill 2\n")
    (tmp_path / "1/memory.peak").write_text("1048576\n")
    outcome = ended(processes, new_agent).outcome
    assert (outcome.code, outcome.oom, outcome.memory_peak) == (137, Oom.OWN, 1 << 20)


def test_an_attempt_oom_killed_without_a_daemon_ends_with_an_oom_outcome(home_directory: Path, tmp_path: Path) -> None:
    home = Home(home_directory)
    processes = bounded(home, tmp_path)
    cgroup = Bounding(tmp_path).take()
    (cgroup.path / "memory.events").write_text("oom 1\noom_kill 2\n")
    left(home, b"")
    new_agent = agent("x", pid=2**22 - 1, memory_max=1 << 20)
    new_agent.cgroup = str(cgroup.path)
    exited = processes.adopt(new_agent)
    assert isinstance(exited, Exited)
    assert (exited.outcome.code, exited.outcome.oom) == (None, Oom.OWN)


def test_old_oom_events_of_a_cgroup_are_ignored_for_an_unlimited_agent(home_directory: Path, tmp_path: Path) -> None:
    processes = bounded(Home(home_directory), tmp_path)
    new_agent = agent("false")
    assert isinstance(processes.start(new_agent), Spawned)
    (tmp_path / "1/memory.events").write_text("oom 1\noom_kill 2\n")
    assert ended(processes, new_agent).outcome.oom is None


@pytest.mark.parametrize("bound", [{"cpu_max": 1.0}, {"pids_max": 9}])
def test_an_agent_with_an_unenforceable_resource_limit_is_not_started(
    home_directory: Path, bound: dict[str, Any]
) -> None:
    processes = local(Home(home_directory))
    assert processes.held() == {"memory_max": "samples", "cpu_max": None, "pids_max": None}
    result = processes.start(agent("true", **bound))
    assert isinstance(result, SpawnFailed)
    assert result.reason.startswith(f"cannot enforce {next(iter(bound))}")
    assert not result.is_passing


def test_memory_is_sampled_until_the_attempt_ends_without_controllers(home_directory: Path) -> None:
    home = Home(home_directory)
    home.create()
    now = [0.0]
    processes = LocalProcesses(home, lambda _: ENV, None, lambda: now[0], time.time)
    assert processes.next_deadline() is None
    new_agent = agent("sh", "-c", "read line < fifo", memory_max=1)
    new_agent.spec = replace(new_agent.spec, cwd=str(home_directory))
    os.mkfifo(home_directory / "fifo")
    assert isinstance(processes.start(new_agent), Spawned)
    due = processes.next_deadline()
    assert due is not None
    assert processes.news() == []
    now[0] = due
    assert processes.news() == [OverMemory(new_agent.id, 1)]
    assert processes.usage([(new_agent.id, 1)])[new_agent.id, 1].memory_peak
    processes.release(new_agent.id, 1)
    (home_directory / "fifo").write_text("\n")
    (exited,) = until(processes.news)
    assert exited.outcome.memory_peak > 1
    assert processes.next_deadline() is None


def test_memory_of_an_adopted_attempt_is_sampled_too(home_directory: Path) -> None:
    home = Home(home_directory)
    new_agent = agent("sleep", "600", memory_max=1 << 30)
    spawned = local(home).start(new_agent)
    assert isinstance(spawned, Spawned)
    new_agent.pid = spawned.pid
    second = local(home)
    assert second.adopt(new_agent) == Adopted(new_agent.id, 1)
    assert second.next_deadline() is not None
    second.stop(new_agent.id, 1, kill=True)
    os.kill(spawned.pid, 9)
    os.waitpid(spawned.pid, 0)


@pytest.mark.parametrize(
    ("script", "is_said"),
    [("kill -9 $$", True), ("exit 1", False), ("exit 0", False)],
)
def test_a_host_oom_kill_is_assigned_only_to_an_agent_killed_by_sigkill(
    home_directory: Path, tmp_path: Path, script: str, is_said: bool
) -> None:
    processes = local(Home(home_directory))
    vmstat = tmp_path / "vmstat"
    vmstat.write_text("oom_kill 3\n")
    processes._kills = OomKillCounter(lambda: 0.0, vmstat)
    new_agent = agent("sh", "-c", script)
    assert isinstance(processes.start(new_agent), Spawned)
    vmstat.write_text("oom_kill 4\n")
    assert ended(processes, new_agent).outcome.oom == (Oom.MACHINE if is_said else None)


def test_a_killed_agent_has_no_oom_outcome_without_a_host_oom_kill(home_directory: Path, tmp_path: Path) -> None:
    processes = local(Home(home_directory))
    (tmp_path / "vmstat").write_text("oom_kill 3\n")
    processes._kills = OomKillCounter(lambda: 0.0, tmp_path / "vmstat")
    new_agent = agent("sh", "-c", "kill -9 $$")
    assert isinstance(processes.start(new_agent), Spawned)
    assert ended(processes, new_agent).outcome.oom is None
