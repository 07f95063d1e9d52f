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


def test_none_runs_where_there_is_no_socket(home: Home) -> None:
    assert not probe.is_running(home)


def test_none_runs_behind_a_socket_that_was_left(home: Home) -> None:
    with listener(home):
        assert probe.is_running(home)
    assert home.socket.exists()
    assert not probe.is_running(home)


def test_a_daemon_is_started_once(home: Home) -> None:
    assert launcher.ensure(home)
    assert not launcher.ensure(home)


def test_a_stale_socket_keeps_no_daemon_from_starting(home: Home) -> None:
    with listener(home):
        pass
    assert launcher.ensure(home)


def test_a_daemon_that_is_on_its_way_out_is_outlasted(home: Home, background: Background) -> None:
    home.create()
    with FileLock(home.lock):
        command = background("limit")
        until(lambda: locks.is_locked(home.start_lock))
    output, errors = command.communicate(timeout=60)
    assert (command.returncode, errors, output.split()[0]) == (0, "", "slots")


def test_a_daemon_that_another_client_began_to_start_is_as_good(home: Home) -> None:
    """Its client was killed, and with it went the lock that keeps others from starting one."""
    home.create()
    with FileLock(home.lock), ThreadPoolExecutor() as pool:
        is_ours = pool.submit(launcher.ensure, home)
        until(lambda: locks.is_locked(home.start_lock))
        with listener(home):
            assert not is_ours.result(timeout=60)


@pytest.mark.slow
def test_fifty_at_once_start_one(home: Home, background: Background) -> None:
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


def test_modules_that_lie_where_the_client_is_called_run_in_neither_of_them(stopped: Instance, tmp_path: Path) -> None:
    for name in ("json.py", "msgpack.py", "orchd/__init__.py", "orchctl/__init__.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    stopped.ctl("limit", "5", cwd=tmp_path)
    assert not (tmp_path / "ran").exists()


def test_a_refusal_to_start_is_told(home: Home, stopped: Instance) -> None:
    home.create()
    stopped.configure("limit = 'many'\n")
    with pytest.raises(NoDaemonError, match=r"did not start: .*config\.toml"):
        launcher.ensure(home)


def test_the_last_words_of_one_that_died_are_shown(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home.create()
    home.log.write_text("an older story\n")
    program(tmp_path, "echo oh >&2; echo dear >&2; exit 3", monkeypatch)
    with pytest.raises(NoDaemonError, match=r"did not start: oh / dear \(log: .*daemon\.log\)"):
        launcher.ensure(home)


def test_a_daemon_that_died_in_silence_is_told_of(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, "exit 3", monkeypatch)
    with pytest.raises(NoDaemonError, match="it exited without a message"):
        launcher.ensure(home)


def test_the_wait_for_a_daemon_that_never_gets_ready_ends(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launcher, "PATIENCE", 0.5)
    program(tmp_path, f"echo $$ > {tmp_path}/pid; exec sleep 60", monkeypatch)
    with pytest.raises(NoDaemonError, match="not ready"):
        launcher.ensure(home)
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)


def test_a_start_that_never_finishes_is_not_waited_for_for_ever(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launcher, "_TURN", 0.1)
    home.create()
    with (
        FileLock(home.start_lock, is_singleton=False),
        pytest.raises(NoDaemonError, match="another process is starting"),
    ):
        launcher.ensure(home)


def test_a_home_that_cannot_be_is_an_error_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "home").touch()
    with pytest.raises(HomeError):
        launcher.ensure(Home(tmp_path / "home"))


def test_a_daemon_notifies_no_manager_of_the_process_that_started_it(
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
