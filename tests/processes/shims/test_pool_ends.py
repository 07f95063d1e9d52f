"""Shims that serve one attempt after another: when a shim serves no other, and what is known when anything dies."""

from __future__ import annotations

import errno
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from orchd.core.inputs import Exited, NeverRan
from orchd.core.state.agents import Agent
from orchd.instance.home import Home
from orchd.network.callers import Callers
from orchd.network.peers import Outside
from orchd.processes.linux import process_tree as trees
from orchd.processes.linux.cgroups import Cgroups
from orchd.processes.linux.procfs import read_process
from orchd.processes.local import LocalProcesses
from orchd.processes.shims.script import header
from orchd.processes.shims.shim import MOST
from tests.conftest import until
from tests.processes.shims.attempts import Attempts
from tests.support.attempts import agent
from tests.support.machine import descriptors
from tests.support.peers import peer_of


def test_an_idle_shim_ends_with_the_turn_and_its_cgroup_is_reused(attempts: Attempts) -> None:
    before = len(descriptors(os.getpid()))
    pid = attempts.run("true")
    attempts.processes.rest()
    until(lambda: attempts.processes.news() == [] and (info := read_process(pid)) is not None and info.is_zombie)
    until(lambda: attempts.processes._shims._leaving == {} or attempts.processes.news())
    second = agent("true", number=2)
    assert attempts.start(second) != pid
    assert second.cgroup is not None
    assert second.cgroup.endswith("/1")
    attempts.end(second)
    attempts.processes.rest()
    until(lambda: attempts.processes._shims._leaving == {} or attempts.processes.news())
    assert len(descriptors(os.getpid())) <= before + 2  # what is held of its cgroup


def test_idle_shims_are_kept_rarely_until_a_shim_is_reused_again(attempts: Attempts) -> None:
    counts = []
    for number in range(1, 33):
        attempts.run("true", number=number)
        counts.append(len(attempts.processes._shims._idle))
        attempts.processes.rest()
        until(lambda: attempts.processes._shims._leaving == {} or attempts.processes.news())
    assert counts == [1] * 8 + [0] * 7 + ([1] + [0] * 7) * 2 + [1]
    pids = [attempts.run("true", number=number) for number in range(33, 41)]
    assert len(set(pids[:-1])) == 7
    again = [attempts.run("true", number=number) for number in range(41, 50)]
    assert len({pids[-1], *again}) == 1


def test_each_agent_gets_its_own_shim_without_cgroups(home_directory: Path) -> None:
    attempts = Attempts(Home(home_directory), None)
    assert attempts.run("true") != attempts.run("true", number=2)
    attempts.close()


def test_a_shim_is_not_reused_after_its_agent_leaves_a_process_behind(attempts: Attempts) -> None:
    first, second = agent("sh", "-c", "setsid sleep 600 &"), agent("true", number=2)
    pid = attempts.start(first)
    assert not attempts.end(first).is_tree_gone
    assert attempts.start(second) != pid
    assert second.cgroup != first.cgroup
    attempts.end(second)


def test_a_process_that_left_its_cgroup_is_not_taken_for_the_next_agent(
    attempts: Attempts, cgroups: Cgroups, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trees, "own_children", lambda: list(attempts.pids))  # as if it had come to another subreaper
    pid_file = tmp_path / "told"
    flees = f"sleep 600 & echo $! > {cgroups.base.parent}/cgroup.procs; echo $! > {pid_file}"
    pid, second = attempts.run("sh", "-c", flees), agent("true", number=2)
    fled = int(pid_file.read_text())
    try:
        assert attempts.start(second) == pid
        assert os.getsid(fled) == pid
        callers = Callers(attempts.home, attempts.processes)
        assert callers.who(peer_of(callers, fled)) in (Outside.NOBODY, Outside.MARKED)
        assert callers.who(peer_of(callers, pid)) == second.id
    finally:
        os.kill(fled, signal.SIGKILL)
    attempts.end(second)


def test_a_shim_is_not_reused_after_its_agent_leaves_a_cgroup_behind(attempts: Attempts, cgroups: Cgroups) -> None:
    assert attempts.run("mkdir", f"{cgroups.base}/1/inner") != attempts.start(agent("true", number=2))
    assert not (cgroups.base / "1/inner").exists()


def test_a_shim_is_not_reused_after_its_agent_was_stopped(attempts: Attempts) -> None:
    first = agent("sh", "-c", "trap 'exit 0' TERM; echo there; while :; do sleep 0.01; done")
    pid = attempts.start(first)
    attempts.processes.release(first.id, 1)
    until(lambda: attempts.log(first) == "there\n")
    attempts.processes.stop(first.id, 1, kill=False)
    (exited,) = attempts.news()
    assert isinstance(exited, Exited)
    assert attempts.start(agent("true", number=2)) != pid


@pytest.mark.parametrize("signals", ["-TERM $PPID", "-TERM 0", "-HUP 0"])
def test_a_shim_is_not_reused_after_its_agent_signals_the_shim(attempts: Attempts, signals: str) -> None:
    assert attempts.run("sh", "-c", f"trap '' TERM HUP; kill {signals}") != attempts.start(agent("true", number=2))


@pytest.mark.parametrize("how", ["rm {0}", "mv {0} {0}.aside; touch {0}"])
def test_a_shim_is_not_reused_after_its_agent_removes_the_exit_record(attempts: Attempts, how: str) -> None:
    first = agent("sh", "-c", how.format(f"{attempts.home.agents}/agent-001.1.exit"))
    pid = attempts.start(first)
    assert attempts.end(first).outcome.code is None
    assert attempts.start(agent("true", number=2)) != pid


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOSPC, errno.EMLINK])
def test_each_agent_gets_its_own_shim_if_records_cannot_be_linked(
    attempts: Attempts, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    pid = attempts.run("true")

    def refused(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", refused)
    second = agent("sh", "-c", "exit 5", number=2)
    assert attempts.start(second) != pid
    assert attempts.end(second).outcome.code == 5


def test_the_next_agent_recreates_a_deleted_log_directory(attempts: Attempts) -> None:
    pid = attempts.run("true")
    shutil.rmtree(attempts.home.agents)
    second = agent("echo", "there", number=2)
    assert attempts.start(second) != pid
    attempts.end(second)
    assert attempts.log(second) == "there\n"


def test_a_shim_serves_at_most_the_attempts_that_fit_its_record(attempts: Attempts) -> None:
    pids = [attempts.run("true", number=number) for number in range(1, 2 * MOST + 1)]
    assert len(set(pids)) == 2
    assert (pids.count(pids[0]), pids.count(pids[-1])) == (MOST, MOST)
    assert Path(f"{attempts.home.agents}/agent-001.1.exit").stat().st_size < 4096


def test_the_longest_names_and_times_fit_in_the_block_of_a_record() -> None:
    longest = "agent-999999999.999 255\n" + 2 * "99999m59.999999s 99999m59.999999s\n"
    refused = "agent-999999999.999 directory\n"
    assert len(header(b"0" * 36)) + MOST * len(refused + longest) < 4096


def test_cpu_time_of_an_agent_excludes_the_previous_agent_of_its_shim(attempts: Attempts, tmp_path: Path) -> None:
    busy = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done"
    os.mkfifo(tmp_path / "go")
    first, second = agent("sh", "-c", busy), agent("sh", "-c", f"echo there; read x <{tmp_path}/go", number=2)
    pid = attempts.start(first)
    spent = attempts.end(first).outcome.cpu_seconds
    assert attempts.start(second) == pid
    attempts.processes.release(second.id, 1)
    until(lambda: attempts.log(second) == "there\n")
    (usage,) = attempts.processes.usage([(second.id, 1)]).values()
    assert usage.cpu_seconds < spent / 2
    (adopted,) = adopt(attempts.next_daemon(), second, usage=True)
    assert adopted < spent / 2
    (tmp_path / "go").write_text("\n")


def adopt(processes: LocalProcesses, agent: Agent, *, usage: bool = False) -> list[float]:
    """Adopt an attempt; the CPU seconds that it has used by then."""
    processes.adopt(agent)
    return [used.cpu_seconds for used in processes.usage([(agent.id, 1)]).values()] if usage else []


def test_second_agent_never_ran_if_daemon_crashes_before_opening_its_gate(attempts: Attempts, tmp_path: Path) -> None:
    first, second = agent("sh", "-c", "exit 7"), agent("touch", str(tmp_path / "ran"), number=2)
    pid = attempts.start(first)
    attempts.end(first)
    assert attempts.start(second) == pid
    after = attempts.next_daemon()
    os.waitpid(pid, 0)
    attempts.pids.clear()
    assert after.adopt(replace(second)) == NeverRan(second.id, 1)
    exited = after.adopt(replace(first))
    assert isinstance(exited, Exited)
    assert exited.outcome.code == 7
    assert not (tmp_path / "ran").exists()


def test_next_daemon_detects_the_end_of_the_second_agent_of_a_shim(attempts: Attempts, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "go")
    first, second = agent("true"), agent("sh", "-c", f"read x < {tmp_path}/go; exit 9", number=2)
    pid = attempts.start(first)
    attempts.end(first)
    assert attempts.start(second) == pid
    attempts.processes.release(second.id, 1)
    until(lambda: len(attempts.processes.usage([(second.id, 1)])) == 1)
    after = attempts.next_daemon()
    assert after.adopt(second).agent == second.id  # type: ignore[union-attr]
    (tmp_path / "go").write_text("\n")
    (exited,) = until(after.news)
    assert isinstance(exited, Exited)
    assert (exited.outcome.code, exited.is_tree_gone) == (9, True)


def test_a_shim_killed_during_its_second_agent_loses_only_that_exit_code(attempts: Attempts) -> None:
    first, second = agent("sh", "-c", "exit 7"), agent("sh", "-c", "kill -KILL $PPID; sleep 600", number=2)
    pid = attempts.start(first)
    assert attempts.end(first).outcome.code == 7
    assert attempts.start(second) == pid
    exited = attempts.end(second)
    assert (exited.outcome.code, exited.is_tree_gone) == (None, False)
    attempts.processes.stop(second.id, 1, kill=True)
    assert attempts.news()


def test_an_agent_stopped_before_its_shim_is_released_never_runs(attempts: Attempts, tmp_path: Path) -> None:
    second = agent("touch", str(tmp_path / "ran"), number=2)
    assert attempts.run("true") == attempts.start(second)
    attempts.processes.stop(second.id, 1, kill=False)
    assert attempts.news() == [NeverRan(second.id, 1)]
    assert not (tmp_path / "ran").exists()


def test_a_late_signal_to_a_shim_reports_the_next_agent_as_never_ran(attempts: Attempts) -> None:
    """Nobody is left of it by then who could send another."""
    pid = attempts.run("true")
    os.kill(pid, signal.SIGSTOP)
    second = agent("sh", "-c", "exit 8", number=2)
    assert attempts.start(second) == pid
    os.kill(pid, signal.SIGTERM)
    os.kill(pid, signal.SIGCONT)
    attempts.processes.release(second.id, 1)
    assert attempts.news() == [NeverRan(second.id, 1)]


def test_the_next_agent_gets_a_new_shim_if_the_idle_shim_was_killed(attempts: Attempts) -> None:
    pid = attempts.run("true")
    os.kill(pid, signal.SIGKILL)
    until(lambda: (info := read_process(pid)) is None or info.is_zombie)
    second = agent("sh", "-c", "exit 5", number=2)
    assert attempts.start(second) != pid
    assert attempts.end(second).outcome.code == 5
