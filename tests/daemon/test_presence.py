"""The lock and the sockets of a running daemon are removed: all processes still agree that it runs."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from orchd.daemon.presence import Lock
from orchd.errors import AlreadyRunning
from orchd.instance.home import Home, HomeError
from orchd.instance.system import locks
from tests.conftest import BIN, DEADLINE, Instance, until
from tests.support.raw import Raw, request


def pid(instance: Instance) -> int:
    """The pid of the daemon that answers."""
    return int(json.loads(instance.ctl("daemon", "status", "--json"))["pid"])


def test_the_lock_file_contains_its_holder(instance: Instance) -> None:
    holder = locks.holder(instance.home.lock)
    assert holder is not None
    assert holder.pid == instance.daemon.pid
    assert json.loads(instance.home.lock.read_text())["format"] == locks.FORMAT


def test_removed_sockets_are_recreated_and_commands_reach_the_same_daemon(instance: Instance) -> None:
    old = instance.home.socket.stat()
    for path in (instance.home.socket, instance.home.events):
        path.unlink()
    assert pid(instance) == instance.daemon.pid
    until(lambda: instance.home.events.exists())
    assert not os.path.samestat(instance.home.socket.stat(), old)
    assert instance.home.socket.stat().st_mode & 0o777 == 0o600
    for words in (("status",), ("daemon", "start"), ("spawn", "--wait", "--", "true"), ("doctor",)):
        instance.ctl(*words)
    assert pid(instance) == instance.daemon.pid
    instance.stop()
    assert not instance.home.socket.exists()


def test_a_socket_that_is_replaced_by_a_file_is_restored(instance: Instance) -> None:
    other = instance.directory / "other"
    other.write_text("mine")
    other.replace(instance.home.socket)
    until(instance.home.socket.is_socket)
    assert instance.status()["daemon"]["pid"]


def test_a_waiting_client_survives_the_removal_of_the_socket(instance: Instance, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "go")
    agent_id = instance.spawn("sh", "-c", f"read x < {tmp_path}/go")
    waiting = subprocess.Popen([BIN / "orchctl", "wait", agent_id], env=instance.env, stdout=subprocess.PIPE)
    until(lambda: instance.agent(agent_id)["status"] == "running")
    instance.home.socket.unlink()
    until(instance.home.socket.exists)
    (tmp_path / "go").write_text("go\n")
    assert waiting.wait(DEADLINE) == 0
    waiting.communicate()


def test_a_removed_lock_is_recreated_and_excludes_other_daemons(instance: Instance) -> None:
    instance.home.lock.unlink()
    until(lambda: locks.holder(instance.home.lock) == (instance.daemon.pid, "0.1.0"))
    with pytest.raises(AlreadyRunning, match=f"pid {instance.daemon.pid}"):
        Lock(instance.home).acquire()


def test_a_daemon_that_lost_its_lock_stops_and_leaves_the_socket(instance: Instance) -> None:
    instance.daemon.send_signal(signal.SIGSTOP)
    instance.home.lock.unlink()
    with instance.home.lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        instance.home.socket.unlink()
        instance.home.socket.touch()
        instance.daemon.send_signal(signal.SIGCONT)
        assert instance.daemon.wait(DEADLINE) == 0
        assert instance.home.socket.exists()
    assert "another daemon has locked it" in instance.log()


@pytest.mark.parametrize("how", ["removed", "replaced", "cut"])
@pytest.mark.parametrize("ending", ["", "-wal"])
def test_a_daemon_that_loses_its_database_stops_without_another_reply(
    instance: Instance, ending: str, how: str
) -> None:
    instance.ctl("limit", "3")
    instance.ctl("spawn", "--wait", "--", "true")
    path = Path(f"{instance.home.database}{ending}")
    if how == "cut":
        os.truncate(path, 0)
        with Raw(instance.home) as raw:  # which starts no other daemon, as a client would
            raw.send(request("r1", "pause"))
            assert instance.daemon.wait(DEADLINE) == 1
            assert not raw.socket.poll(0)
    elif how == "replaced":
        shutil.copy(path, copy := instance.directory / "copy")
        copy.replace(path)
    else:
        path.unlink()
    assert instance.daemon.wait(DEADLINE) == (1 if how == "cut" else 0)
    assert f"{path if how == 'cut' else instance.home.database}" in instance.log()
    assert "start orchd again" in instance.log()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can mount")
def test_a_daemon_stops_when_a_file_system_is_mounted_over_its_home(stopped: Instance) -> None:
    stopped.start("unshare", "--mount", "--propagation", "private", sys.executable, "-m", "orchd")
    inside = ["nsenter", "--mount", f"--target={stopped.daemon.pid}"]
    subprocess.run([*inside, "mount", "-t", "tmpfs", "tmpfs", str(stopped.directory)], check=True)
    assert stopped.daemon.wait(DEADLINE) == 0
    assert "a file system was mounted over it" in stopped.log()


def test_a_removed_socket_directory_is_recreated(stopped: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = stopped.directory / ("d" * 90)
    stopped.env["ORCHD_HOME"] = str(deep)
    home = Home(deep)
    assert home.sockets != deep
    stopped.ctl("daemon", "start")
    home.sockets.rename(away := home.sockets.with_name(f"{home.sockets.name}-away"))
    shutil.rmtree(away)
    until(home.socket.exists)
    stopped.ctl("status")
    stopped.ctl("daemon", "stop")
    shutil.rmtree(home.sockets, ignore_errors=True)


def test_a_lock_that_cannot_be_created_raises_an_error_with_its_path(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.lock.mkdir()
    with pytest.raises(HomeError, match="cannot lock .*orchd.lock: a directory is in the place of the file"):
        Lock(home).acquire()


def test_a_lock_is_inheritable_only_while_it_is_handed_to_execve(tmp_path: Path) -> None:
    home = Home(tmp_path)
    lock = Lock(home)
    assert lock.hand_over() is None
    lock.acquire()
    descriptor = lock.hand_over()
    assert descriptor is not None
    assert os.get_inheritable(descriptor)
    again = Lock(home, descriptor)
    again.acquire()
    assert not os.get_inheritable(descriptor)
    again.release()
    assert locks.holder(home.lock) is None
