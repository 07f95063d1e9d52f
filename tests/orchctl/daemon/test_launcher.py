"""Finding and starting the daemon."""

from __future__ import annotations

import os
import signal
import socket
import stat
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from filelock import FileLock

from orchctl.client import Client
from orchctl.daemon import launcher, probe
from orchctl.errors import NoDaemonError
from orchd.instance.environment import ENV_NAME
from orchd.instance.home import Home, HomeError
from orchd.instance.system import locks
from tests.conftest import Instance, until
from tests.orchctl.conftest import Background


@contextmanager
def listener(home: Home) -> Iterator[None]:
    """A process that listens on the socket and accepts no connection."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(home.socket))
        server.listen()
        yield


def program(directory: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run `script`, in shell, in the place of the daemon."""
    path = directory / "python"
    path.write_text(f'#!/bin/sh\n[ "$1" = -I ] && exec "{sys.executable}" "$@"\n{script}\n')
    path.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(path))


def test_no_daemon_is_running_without_a_socket(home: Home) -> None:
    assert not probe.is_running(home)


def test_no_daemon_is_running_behind_a_stale_socket(home: Home) -> None:
    with listener(home):
        assert probe.is_running(home)
    assert home.socket.exists()
    assert not probe.is_running(home)


def test_a_daemon_is_started_once(home: Home) -> None:
    assert launcher.ensure(home)
    assert not launcher.ensure(home)


def test_a_stale_socket_does_not_prevent_a_daemon_start(home: Home) -> None:
    with listener(home):
        pass
    assert launcher.ensure(home)


def test_a_client_waits_for_an_exiting_daemon_and_starts_another(home: Home, background: Background) -> None:
    home.create()
    with FileLock(home.lock):
        command = background("limit")
        until(lambda: locks.is_locked(home.start_lock))
    output, errors = command.communicate(timeout=60)
    assert (command.returncode, errors, output.split()[0]) == (0, "", "slots")


def test_a_daemon_that_another_client_began_to_start_is_used(home: Home) -> None:
    """Its client was killed, and with it went the lock that keeps others from starting one."""
    home.create()
    with FileLock(home.lock), ThreadPoolExecutor() as pool:
        is_ours = pool.submit(launcher.ensure, home)
        until(lambda: locks.is_locked(home.start_lock))
        with listener(home):
            assert not is_ours.result(timeout=60)


@pytest.mark.slow
def test_fifty_concurrent_clients_start_one_daemon(home: Home, background: Background) -> None:
    commands = [background("daemon", "start", "--json") for _ in range(50)]
    outputs = [command.communicate(timeout=60) for command in commands]
    assert {(command.returncode, errors) for command, (_, errors) in zip(commands, outputs, strict=True)} == {(0, "")}
    assert len({output.partition('"pid":')[2].partition(",")[0] for output, _ in outputs}) == 1
    assert home.log.read_text().count("serving") == 1


def test_the_daemon_is_independent_of_the_process_that_starts_it(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENV_NAME, "one")
    launcher.ensure(home)
    with Client(home) as client:
        pid = client.call("daemon")["pid"]
    process = Path(f"/proc/{pid}")
    status = dict(line.split(":\t", 1) for line in (process / "status").read_text().splitlines())
    assert int(status["PPid"]) != os.getpid()
    assert os.getsid(pid) != os.getsid(0)
    assert not int(status["SigIgn"], 16) & 1 << (signal.SIGINT - 1)
    assert (process / "cwd").readlink() == Path("/")
    assert f"{ENV_NAME}=".encode() not in (process / "environ").read_bytes()
    assert stat.S_IMODE(home.log.stat().st_mode) == 0o600


def test_modules_in_the_working_directory_are_not_imported(stopped: Instance, tmp_path: Path) -> None:
    for name in ("json.py", "msgpack.py", "orchd/__init__.py", "orchctl/__init__.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    stopped.ctl("limit", "5", cwd=tmp_path)
    assert not (tmp_path / "ran").exists()


def test_a_failed_start_reports_an_invalid_config(home: Home, stopped: Instance) -> None:
    home.create()
    stopped.configure("limit = 'many'\n")
    with pytest.raises(NoDaemonError, match=r"did not start: .*config\.toml"):
        launcher.ensure(home)


def test_a_failed_start_shows_the_last_output_of_the_daemon(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.create()
    home.log.write_text("an older story\n")
    program(tmp_path, "echo oh >&2; echo dear >&2; exit 3", monkeypatch)
    with pytest.raises(NoDaemonError, match=r"did not start: oh / dear \(log: .*daemon\.log\)"):
        launcher.ensure(home)


def test_a_daemon_that_exits_without_output_is_reported(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path, "exit 3", monkeypatch)
    with pytest.raises(NoDaemonError, match="it exited without a message"):
        launcher.ensure(home)


def test_the_wait_for_a_daemon_that_never_becomes_ready_times_out(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launcher, "PATIENCE", 0.5)
    program(tmp_path, f"echo $$ > {tmp_path}/pid; exec sleep 60", monkeypatch)
    with pytest.raises(NoDaemonError, match="not ready"):
        launcher.ensure(home)
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)


def test_the_wait_for_a_start_by_another_process_times_out(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launcher, "_TURN", 0.1)
    home.create()
    with (
        FileLock(home.start_lock, is_singleton=False),
        pytest.raises(NoDaemonError, match="another process is starting"),
    ):
        launcher.ensure(home)


def test_an_impossible_home_raises_a_home_error(tmp_path: Path) -> None:
    (tmp_path / "home").touch()
    with pytest.raises(HomeError):
        launcher.ensure(Home(tmp_path / "home"))


def test_a_daemon_does_not_inherit_the_notify_socket_of_its_starter(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "n"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "n"))
        assert launcher.ensure(home)
        with Client(home, starts=False) as client:
            client.call("daemon")
        manager.setblocking(False)
        with pytest.raises(BlockingIOError):
            manager.recv(100)
