"""A broken disk, a foreign database, a machine without room: a clear error, and nothing lost."""

from __future__ import annotations

import os
import resource
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from orchd.processes.linux.procfs import read_process
from orchd.store import migrations
from tests.conftest import DEADLINE, Instance, until
from tests.support.machine import full, needs_root, remount, tmpfs
from tests.support.raw import ROOT, Raw


def refusal(instance: Instance) -> str:
    """The error output of a daemon that refuses to start."""
    process = instance.refusal()
    assert process.returncode in (1, 69), process
    return process.stderr


@needs_root
def test_a_read_only_home_is_refused_with_what_to_do(stopped: Instance) -> None:
    with tmpfs(stopped.directory, "4m"):
        stopped.start()
        stopped.spawn("true")
        stopped.ctl("wait", "--all")
        stopped.stop()
        remount(stopped.directory, "ro")
        message = refusal(stopped)
        assert "ead-only" in message
        remount(stopped.directory, "rw")
        stopped.start()
        assert stopped.agent("agent-001")["status"] == "completed"
        stopped.stop()


@pytest.mark.parametrize("damage", ["newer", "foreign", "torn"])
def test_a_database_that_cannot_be_used_is_left_as_it_is(stopped: Instance, damage: str) -> None:
    stopped.home.create()
    if damage == "torn":
        stopped.home.database.write_bytes(b"SQLite format 3\0" + b"x" * 8192)
    else:
        with sqlite3.connect(stopped.home.database) as database:
            version = migrations.newest() + 1 if damage == "newer" else 0
            database.execute("CREATE TABLE somebody_elses (x)")
            database.execute(f"PRAGMA user_version = {version}")
        database.close()
    before = stopped.home.database.read_bytes()
    message = refusal(stopped)
    assert str(stopped.home.database) in message
    assert "move it away" in message or "move the file away" in message
    assert stopped.home.database.read_bytes() == before
    assert "the daemon did not start" in stopped.ctl("limit", "--json", code=69)


def test_a_second_daemon_is_refused_and_the_first_is_not_disturbed(instance: Instance) -> None:
    agent_id = instance.spawn("sleep", "1000")
    assert "another daemon serves" in refusal(instance)
    assert instance.agent(agent_id)["status"] == "running"


def test_a_leftover_socket_is_replaced(stopped: Instance) -> None:
    stopped.home.create()
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(stopped.home.socket))
    assert stopped.home.socket.exists()
    stopped.start()
    assert stopped.status()["limit"]["limit"] == 7


def vanish(instance: Instance, agent: str) -> None:
    """Delete what an agent's first attempt keeps on the disk."""
    for path in instance.home.agents.glob(f"{agent}.1.*"):
        path.unlink()


def test_the_next_agent_recreates_a_deleted_log_directory(instance: Instance) -> None:
    lives = instance.spawn("sleep", "1000")
    shutil.rmtree(instance.home.agents)
    agent_id = instance.spawn("sh", "-c", "echo here")
    instance.ctl("wait", agent_id)
    assert instance.ctl("logs", agent_id) == "here\n"
    instance.ctl("cancel", lives)
    instance.ctl("wait", lives, code=1)
    assert instance.agent(lives)["status"] == "cancelled"


@needs_root
def test_an_agent_without_a_free_pid_is_queued_and_starts_later(instance: Instance) -> None:
    group = Path("/sys/fs/cgroup/pids") / instance.directory.name
    try:
        group.mkdir()
    except OSError:
        pytest.skip("no pids controller can be had here")
    try:
        (group / "cgroup.procs").write_text(str(instance.daemon.pid))
        (group / "pids.max").write_text("1")  # its own threads are more already
        with instance.client() as client:
            agent = client.call("spawn", {"agents": [{"command": ["/bin/true"]}], "cwd": "/"})["agents"][0]
            assert agent["status"] == "queued"
            assert "could not start a process" in agent["reason"]
            (group / "pids.max").write_text("max")
            client.wait(ids=["agent-001"])
        assert instance.agent("agent-001")["status"] == "completed"
    finally:
        (group.parent / "cgroup.procs").write_text(str(instance.daemon.pid))
        until(lambda: not (group / "cgroup.procs").read_text())
        group.rmdir()


def test_an_agent_with_a_deleted_environment_fails_and_can_be_retried(instance: Instance) -> None:
    instance.ctl("pause")
    agent_id = instance.spawn("true")
    instance.kill()
    for path in instance.home.environments.iterdir():
        path.unlink()
    instance.start()
    instance.ctl("resume")
    instance.ctl("wait", agent_id, code=1)
    assert "its captured environment was deleted" in instance.agent(agent_id)["reason"]
    assert "environment-lost" in instance.ctl("retry", "--json", agent_id, code=1)
    instance.ctl("retry", "--current-env", agent_id)
    instance.ctl("wait", agent_id)


@pytest.mark.parametrize(
    ("options", "command", "reason"),
    [
        ([], ["no-such-program-anywhere"], "cannot run 'no-such-program-anywhere'"),
        ([], ["./nothing-here"], "cannot run './nothing-here'"),
        (["--stdin", "/nowhere/file"], ["cat"], "cannot read /nowhere/file as its stdin"),
        (["--cwd", "/nowhere"], ["true"], "cannot start in /nowhere"),
        (["--output-dir", "/proc/nowhere"], ["true"], "cannot create the output directory /proc/nowhere"),
    ],
)
def test_an_agent_that_can_never_start_fails_with_the_reason(
    instance: Instance, options: list[str], command: list[str], reason: str
) -> None:
    agent_id = instance.spawn(*command, options=options)
    instance.ctl("wait", agent_id, code=1)
    agent = instance.agent(agent_id)
    assert agent["status"] == "failed"
    assert reason in agent["reason"]


def test_an_agent_with_a_too_long_argument_fails_with_the_reason(instance: Instance) -> None:
    with instance.client() as client:
        client.call("spawn", {"agents": [{"command": ["/bin/echo", "x" * 200_000]}], "cwd": "/"})
        (agent,) = client.wait(ids=["agent-001"])["agents"]
    assert agent["status"] == "failed"
    assert "argument 1 of its command takes 200,001 bytes" in agent["reason"]


def test_agents_are_queued_while_no_file_descriptor_is_free(instance: Instance) -> None:
    opened = len(list(Path(f"/proc/{instance.daemon.pid}/fd").iterdir()))
    with instance.client() as client:
        client.call("limit")
        subprocess.run(["prlimit", "--pid", str(instance.daemon.pid), f"--nofile={opened + 3}:20000"], check=True)
        reply = client.call("spawn", {"agents": [{"command": ["/bin/true"]}], "cwd": "/"})
        assert reply["agents"][0]["status"] == "queued"
        subprocess.run(["prlimit", "--pid", str(instance.daemon.pid), "--nofile=20000:20000"], check=True)
    instance.ctl("wait", "agent-001")
    assert until(lambda: instance.agent("agent-001")["status"] == "completed")


@contextmanager
def no_descriptor_left(pid: int) -> Iterator[None]:
    """Not one file more for this process, for as long as it takes."""
    opened = {int(name) for name in os.listdir(f"/proc/{pid}/fd")}
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    lowest = next(number for number in range(len(opened) + 1) if number not in opened)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (lowest, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


def test_a_wait_that_cannot_be_watched_is_answered_with_busy_and_ends_no_daemon(instance: Instance) -> None:
    agent_id = instance.spawn("sleep", "1000")
    with Raw(instance.home) as raw:
        assert raw.ask("limit")["ok"]
        with no_descriptor_left(instance.daemon.pid):
            assert raw.code("wait", {"ids": [agent_id]}) == "busy"
        assert instance.daemon.poll() is None
        assert raw.code("cancel", {"ids": [agent_id]}) == ""
        assert raw.ask("wait", {"ids": [agent_id]})["result"]["agents"][0]["status"] == "cancelled"


def test_an_agent_keeps_running_when_its_unwatchable_wait_gets_busy(instance: Instance, tmp_path: Path) -> None:
    go, answer = tmp_path / "go", tmp_path / "answer"
    os.mkfifo(go)
    child = "orchctl spawn -- sleep 1000 >/dev/null"
    asks = f"PYTHONPATH={ROOT} {sys.executable} {ROOT / 'tests/support/connected_agent.py'} {go} {answer}"
    agent_id = instance.spawn("sh", "-c", f"{child}; {asks}; sleep 1000", options=["--nesting", "1"])
    until(lambda: "there" in answer.read_text() if answer.exists() else False)
    with no_descriptor_left(instance.daemon.pid):
        go.write_text("go\n")
        until(lambda: "busy" in answer.read_text(), what=answer.read_text())
    assert instance.daemon.poll() is None
    assert instance.agent(agent_id)["status"] == "running"


def test_an_attempt_with_deleted_files_has_no_logs_but_keeps_running(
    instance: Instance,
) -> None:
    lost, other = instance.spawn("sleep", "600"), instance.spawn("sh", "-c", "echo here; exit 3")
    instance.ctl("wait", other, code=1)
    vanish(instance, lost)
    instance.ctl("logs", lost, code=1)
    assert instance.agent(lost)["status"] == "running"
    assert instance.agent(lost)["rss_bytes"] > 0
    instance.ctl("cancel", lost)
    instance.ctl("wait", lost, code=1)
    assert instance.agent(lost)["status"] == "cancelled"
    assert instance.ctl("logs", other) == "here\n"


def test_the_next_daemon_ends_an_attempt_with_deleted_files(instance: Instance) -> None:
    """Its lock is gone, so nobody can know that it lives; what bears its marks is stopped before it is given up."""
    agent_id = instance.spawn("sleep", "600")
    pid = instance.agent(agent_id)["pid"]
    vanish(instance, agent_id)
    instance.kill()
    instance.start()
    instance.ctl("wait", agent_id, "--timeout", "30", code=1)
    assert instance.agent(agent_id)["status"] == "lost"
    assert (process := read_process(pid)) is None or process.is_zombie


def test_a_deleted_environment_directory_is_recreated(instance: Instance) -> None:
    agent_id = instance.spawn("sleep", "600")
    shutil.rmtree(instance.home.environments)
    until(instance.home.environments.exists, what="a directory that is made again")
    instance.ctl("wait", instance.spawn("true", options=["--env", "NEW=1"]))
    assert instance.agent(agent_id)["status"] == "running"


@needs_root
def test_a_spawn_on_a_full_disk_is_refused_and_the_daemon_survives(stopped: Instance) -> None:
    """An environment that finds no room is refused; a commit that finds none is in test_fulldisk."""
    with tmpfs(stopped.directory, "4m"):
        stopped.start()
        with full(stopped.directory):
            output = stopped.ctl("spawn", "--json", "--env", "NEW=1", "--", "true", code=1)
            assert '"cannot-store"' in output
            assert "No space left on device" in output
            assert stopped.daemon.poll() is None
            with stopped.client() as client:
                reply = client.call("limit")
            assert reply["living"] == 0
        stopped.stop()
        assert "Traceback" not in stopped.log()


def is_gone(directory: Path) -> bool:
    """Whether it could be deleted: a daemon may make a file in it at the same moment."""
    shutil.rmtree(directory, ignore_errors=True)
    return not directory.exists()


@pytest.mark.parametrize("how", ["database", "emptied", "home"])
def test_a_daemon_without_its_database_exits_and_no_other_starts_empty(instance: Instance, how: str) -> None:
    shim = psutil.Process(instance.agent(instance.spawn("sleep", "600"))["pid"])
    tree = [shim, *shim.children(recursive=True)]
    try:
        if how == "database":
            instance.home.database.unlink()
        elif how == "emptied":
            empty = instance.directory / "empty"
            empty.touch()
            empty.replace(instance.home.database)
        else:
            until(lambda: is_gone(instance.home.directory))
            instance.directory.mkdir(mode=0o700)
        instance.daemon.wait(DEADLINE)
        assert shim.is_running()
        if how != "home":
            instance.ctl("spawn", "--", "true", code=69)
    finally:
        for process in tree:
            process.kill()


def test_an_agent_is_queued_while_its_user_may_start_no_process(stopped: Instance) -> None:
    """The limit of a user's processes counts for everybody but root, so the daemon is somebody else's here."""
    if os.getuid() != 0:
        pytest.skip("needs root to be another user")
    uid = 40_000 + os.getpid() % 20_000
    os.chown(stopped.directory, uid, uid)
    stopped.directory.chmod(0o755)
    command = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", sys.executable, "-m", "orchd"]
    if subprocess.run([*command[:5], "test", "-r", sys.executable], check=False).returncode:
        pytest.skip("another user cannot run this Python")
    (stopped.directory / "daemon.log").touch()
    stopped.start(*command)
    as_user = [*command[:4], sys.executable, "-m", "orchctl"]

    def said(*words: str) -> str:
        process = subprocess.run(
            [*as_user, *words], env={**stopped.env, "HOME": "/"}, capture_output=True, text=True, check=False
        )
        return process.stdout + process.stderr

    subprocess.run(["prlimit", "--pid", str(stopped.daemon.pid), "--nproc=1:4096"], check=True)
    said("spawn", "--", "/bin/true")
    assert "could not start a process" in said("status", "--json")
    subprocess.run(["prlimit", "--pid", str(stopped.daemon.pid), "--nproc=4096:4096"], check=True)
    assert said("wait", "agent-001") != ""
    assert '"completed"' in said("status", "--json", "agent-001")
    said("daemon", "stop", "--stop-agents")
    stopped.daemon.wait(DEADLINE)
