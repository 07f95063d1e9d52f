"""Attempts on this machine: made behind a gate, found again after a crash, ended as whole trees."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from orchd.core.inputs import Adopted, Exited, NeverRan, Spawned, SpawnFailed
from orchd.core.state.agents import Agent, Outcome, agent_id
from orchd.instance.home import Home
from orchd.instance.system.locks import is_locked
from orchd.processes.linux.cgroups import Cgroups
from orchd.processes.linux.procfs import BOOT, read_process
from orchd.processes.local import LocalProcesses
from orchd.processes.shims.script import header
from tests.conftest import until
from tests.support.attempts import ENV, agent, left, local
from tests.support.bench import Bench
from tests.support.machine import descriptors, full, needs_root, tmpfs


def test_an_attempts_record_is_locked_until_the_attempt_ends(bench: Bench) -> None:
    agent = bench.spawn("sleep", "600")
    record = f"{bench.home.agents}/{agent.id}.1.exit"
    assert is_locked(record)
    bench.ask("cancel", {"ids": ["1"]})
    bench.until_over(agent)
    assert not is_locked(record)
    assert not is_locked(f"{record}-that-is-not-there")


def test_an_attempt_behind_a_never_opened_gate_never_ran(home_directory: Path) -> None:
    home = Home(home_directory)
    first = local(home)
    new_agent = agent("sh", "-c", f"touch {home_directory}/ran")
    spawned = first.start(new_agent)
    assert isinstance(spawned, Spawned)
    shim = first._handles[new_agent.id, 1].shim
    assert shim is not None
    assert shim.gate is not None
    first._watch.close(shim.gate)  # as if the daemon had died
    until(lambda: not is_locked(f"{home.agents}/agent-001.1.exit"))
    new_agent.pid = spawned.pid
    os.waitpid(spawned.pid, 0)
    assert local(home).adopt(new_agent) == NeverRan(new_agent.id, 1)
    assert not (home_directory / "ran").exists()


@pytest.mark.parametrize(
    ("record", "code"),
    [(b"0\n0m0.1s 0m0s\n1m1.5s 0m0s\n", 0), (b"7\n", 7), (b"143\n0m", 143), (b"", None), (b"14", None)],
)
def test_an_attempt_ended_without_a_daemon_has_the_outcome_of_its_record(
    home_directory: Path, record: bytes, code: int | None
) -> None:
    home = Home(home_directory)
    processes = local(home)
    left(home, record)
    result = processes.adopt(agent("x", pid=2**22 - 1))
    assert isinstance(result, Exited)
    assert result.outcome.code == code
    assert result.is_tree_gone
    assert (result.note is None) == (code is not None)
    assert processes.shims() == {}


@pytest.mark.parametrize("boot", [BOOT, b"the boot before this one"])
def test_a_process_that_reuses_the_pid_of_a_finished_attempt_is_not_killed(home_directory: Path, boot: bytes) -> None:
    """After a reboot the pids on record are other people's, their sessions too."""
    home = Home(home_directory)
    processes = local(home)
    left(home, b"", boot)
    with subprocess.Popen(["sh", "-c", "sleep 600 & wait"], start_new_session=True) as stranger:
        result = processes.adopt(agent("x", pid=stranger.pid))
        assert result == Exited(agent_id(1), 1, Outcome(None), True, result.note)  # type: ignore[union-attr]
        processes.stop(agent_id(1), 1, kill=True)
        assert stranger.poll() is None
        os.killpg(stranger.pid, 9)


def test_a_leaderless_session_is_treated_as_foreign_after_a_reboot(home_directory: Path) -> None:
    home = Home(home_directory)
    processes = local(home)
    left(home, b"", b"the boot before this one")
    leader = subprocess.Popen(
        ["sh", "-c", "sleep 600 & echo $!"], start_new_session=True, stdout=subprocess.PIPE, text=True
    )
    assert leader.stdout is not None
    orphan = int(leader.stdout.readline())
    leader.stdout.close()
    leader.wait()
    try:
        result = processes.adopt(agent("x", pid=leader.pid))
        assert isinstance(result, Exited)
        assert result.is_tree_gone
        assert read_process(orphan) is not None
    finally:
        os.kill(orphan, 9)


def test_next_daemon_detects_the_orphan_in_the_session_of_an_attempt(home_directory: Path) -> None:
    home = Home(home_directory)
    processes = local(home)
    left(home, b"0\n")
    leader = subprocess.Popen(
        ["sh", "-c", "env -i sleep 600 & echo $!"], start_new_session=True, stdout=subprocess.PIPE, text=True
    )
    assert leader.stdout is not None
    orphan = int(leader.stdout.readline())
    leader.stdout.close()
    leader.wait()
    result = processes.adopt(agent("x", pid=leader.pid))
    assert isinstance(result, Exited)
    assert not result.is_tree_gone
    processes.stop(agent_id(1), 1, kill=True)
    until(lambda: (info := read_process(orphan)) is None or info.is_zombie)
    assert processes.news() != []


def test_an_attempt_without_a_pid_has_no_session_and_matches_no_process(home_directory: Path) -> None:
    home = Home(home_directory)
    processes = local(home)
    left(home, b"")
    result = processes.adopt(agent("x", pid=None))
    assert isinstance(result, Exited)
    assert result.is_tree_gone


def test_a_running_attempt_is_adopted_and_its_end_is_reported(bench: Bench) -> None:
    agent = bench.spawn("sleep", "600")
    second = local(bench.home)
    assert second.adopt(agent) == Adopted(agent.id, 1)
    assert second.shims() == {agent.pid: (agent.id, 1)}
    bench.ask("cancel", {"ids": ["1"]})
    bench.until_over(agent)
    (ended,) = until(second.news)
    assert ended.agent == agent.id
    assert ended.outcome.code in (143, 137)


@pytest.mark.parametrize(
    ("agent", "message"),
    [
        (agent("/nowhere/x"), "cannot run '/nowhere/x': no such program"),
        (agent("/etc/passwd"), "cannot run '/etc/passwd'"),
        (agent("true", stdin="/nowhere"), "cannot read /nowhere as its stdin: No such file or directory"),
        (agent("true", output_dir="/dev/null/x"), "cannot create the output directory /dev/null/x: Not a directory"),
        (
            agent("true", "short", "é" * 100_000),
            "cannot start: argument 2 of its command takes 200,001 bytes, and the kernel passes at most 131,072 in "
            "one: write it to a file and give the path, or pass it with --stdin",
        ),
        (
            agent("true", variables=(("BIG", "x" * 200_000),)),
            "cannot start: the variable BIG takes 200,014 bytes, and the kernel passes at most 131,072 in one: write "
            "its value to a file and give the path, or unset the variable (`env -u BIG orchctl ...`)",
        ),
        (
            agent("true", *(["x" * 100_000] * 100)),
            "cannot start: Argument list too long; its arguments and environment together may take a quarter of the "
            "daemon's `ulimit -s`",
        ),
    ],
)
def test_a_permanent_start_failure_is_reported_and_leaves_no_descriptor(
    home_directory: Path, agent: Agent, message: str
) -> None:
    processes = local(Home(home_directory))
    before = descriptors(os.getpid())
    result = processes.start(agent)
    assert isinstance(result, SpawnFailed)
    assert result.reason.startswith(message)
    assert not result.is_passing
    assert len(descriptors(os.getpid())) == len(before)
    assert processes.shims() == {}


@needs_root
def test_a_start_failure_of_the_host_is_temporary_and_leaves_no_file(home_directory: Path) -> None:
    home = Home(home_directory)
    processes = local(home)
    with tmpfs(home.agents, "256k", "nr_inodes=2"):
        for _ in range(5):
            result = processes.start(agent("true", pid=None))
            assert isinstance(result, SpawnFailed)
            assert result.is_passing
            assert "No space left on device" in result.reason
            assert list(home.agents.iterdir()) == []


@needs_root
def test_the_exit_code_is_recorded_even_on_a_full_disk(home_directory: Path) -> None:
    home = Home(home_directory)
    processes = local(home)
    with tmpfs(home.agents, "256k"):
        new_agent = agent("sh", "-c", f"read x < {home_directory}/go; exit 7")
        os.mkfifo(home_directory / "go")
        spawned = processes.start(new_agent)
        assert isinstance(spawned, Spawned)
        processes.release(new_agent.id, 1)
        with full(home.agents):
            (home_directory / "go").write_text("go\n")
            (ended,) = until(processes.news)
        assert ended.outcome.code == 7
        os.waitpid(spawned.pid, 0)


def test_the_end_of_an_attempt_is_reported_after_its_directory_is_deleted(bench: Bench) -> None:
    agent = bench.spawn("sleep", "600")
    shutil.rmtree(bench.home.agents)
    assert bench.processes.quiet_for(agent.id, 1) >= 0
    bench.ask("cancel", {"ids": ["1"]})
    bench.until_over(agent)
    assert bench.agent("1").status.value == "cancelled"


def test_hundreds_of_attempts_leave_no_descriptor_and_no_handle(bench: Bench) -> None:
    bench.until_over(bench.spawn("true"))
    before = len(descriptors(os.getpid()))
    agents = [bench.spawn("true") for _ in range(150)]
    bench.until_over(*agents)
    assert bench.processes.shims() == {}
    assert len(descriptors(os.getpid())) <= before


def test_releasing_an_attempt_twice_or_an_unknown_attempt_does_nothing(bench: Bench) -> None:
    agent = bench.spawn("sleep", "600")
    bench.processes.release(agent.id, 1)
    bench.processes.release(agent_id(9), 1)
    bench.processes.stop(agent_id(9), 1, kill=True)


def test_a_gate_closed_after_the_end_of_its_shim_is_not_opened_later(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = replace(bench.spawn("sleep", "600"), attempt=2)
    spawned = bench.processes.start(agent)
    assert isinstance(spawned, Spawned)
    monkeypatch.setattr(bench.processes, "_is_gone", lambda _: False)
    os.kill(spawned.pid, 9)
    os.waitpid(spawned.pid, 0)
    assert until(bench.processes.news)
    monkeypatch.setattr(os, "write", lambda *_: pytest.fail("whose descriptor is that?"))
    bench.processes.release(agent.id, 2)


def test_a_shim_killed_behind_its_gate_is_reported_without_an_exit_code(home_directory: Path) -> None:
    processes = local(Home(home_directory))
    new_agent = agent("sleep", "600")
    spawned = processes.start(new_agent)
    assert isinstance(spawned, Spawned)
    os.kill(spawned.pid, 9)
    os.waitpid(spawned.pid, 0)
    processes.release(new_agent.id, 1)
    (ended,) = until(processes.news)
    assert (ended.outcome.code, ended.is_tree_gone) == (None, True)
    assert "supervising shell was killed" in str(ended.note)


def test_the_record_occupies_its_disk_block_from_the_start(bench: Bench) -> None:
    agent = bench.spawn("sleep", "600")
    assert (bench.home.agents / f"{agent.id}.1.exit").read_bytes() == header(BOOT)


def test_an_attempt_refused_by_its_cgroup_never_ran_and_disables_cgroups(
    home_directory: Path, cgroups: Cgroups
) -> None:
    home = Home(home_directory)
    home.create()
    processes = LocalProcesses(home, lambda _: ENV, cgroups, time.monotonic, time.time)
    (cgroups.base / "1").mkdir()
    (cgroups.base / "1/inner").mkdir()
    taken = cgroups.take()
    cgroups.give_back(taken)
    taken._door = os.open("/dev/full", os.O_WRONLY | os.O_CLOEXEC)
    new_agent = agent("true")
    spawned = processes.start(new_agent)
    assert isinstance(spawned, Spawned)
    assert spawned.cgroup == str(taken.path)
    processes.release(new_agent.id, 1)
    assert until(processes.news) == [NeverRan(new_agent.id, 1)]
    assert not taken.path.exists()
    again = processes.start(new_agent)
    assert isinstance(again, Spawned)
    assert again.cgroup is None
    processes.release(new_agent.id, 1)
    (ended,) = until(processes.news)
    assert ended.outcome.code == 0
