"""One daemon's life: what happens before the first request is answered and after the last."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from orchd.daemon import lifecycle
from orchd.instance.home import Home
from orchd.processes.linux.cgroups import Cgroups
from tests.conftest import DEADLINE, Instance, until
from tests.support.machine import NOBODY, descriptors, needs_root

KINDS = ("inh", "ambient")


def test_files_in_the_home_are_accessible_only_to_their_owner(instance: Instance) -> None:
    instance.ctl("wait", instance.spawn("sh", "-c", "echo x"), code=None)
    for path in instance.directory.rglob("*"):
        if path.name != "daemon.log" and not path.is_symlink():
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_the_client_of_the_daemon_is_first_on_the_path_of_an_agent(instance: Instance) -> None:
    agent_id = instance.spawn("sh", "-c", "command -v orchctl")
    instance.ctl("wait", agent_id)
    assert instance.ctl("logs", agent_id).strip() == str(instance.home.bin / "orchctl")


def test_the_generated_client_ignores_a_package_in_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home(tmp_path / "home")
    home.create()
    python = tmp_path / "bin/python"
    for directory in (python.parent, tmp_path / "orchctl"):
        directory.mkdir()
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o700)
    (tmp_path / "orchctl/__main__.py").write_text("print('planted')\n")
    (tmp_path / "orchctl/__init__.py").touch()
    monkeypatch.setattr(sys, "executable", str(python))
    monkeypatch.setenv("PATH", "/nowhere")
    lifecycle._link_client(home)
    version = subprocess.check_output([home.bin / "orchctl", "--version"], cwd=tmp_path, text=True)
    assert version.startswith("orchctl ")


def test_a_daemon_that_fails_to_start_leaves_no_cgroup(stopped: Instance) -> None:
    stopped.home.create()
    if (cgroups := Cgroups.where_allowed(stopped.home.tag)) is None:
        pytest.skip("no cgroup2 directory can be made here")
    cgroups.close()
    assert not cgroups.base.exists()
    stopped.home.socket.mkdir(parents=True)
    words = [sys.executable, "-m", "orchd", "--home", str(stopped.directory)]
    process = subprocess.run(words, env=stopped.env, capture_output=True, text=True, check=False)
    assert process.returncode
    assert not cgroups.base.exists(), process.stderr
    stopped.home.socket.rmdir()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_daemon_and_its_agents_keep_running(stopped: Instance, number: signal.Signals) -> None:
    stopped.start()
    agent_id = stopped.spawn("sleep", "600")
    stopped.daemon.send_signal(number)
    assert stopped.daemon.wait(DEADLINE) == 0
    assert f"shutting down; 1 agents keep running: {agent_id}" in stopped.log()
    stopped.start()
    assert stopped.agent(agent_id)["status"] == "running"


_DEAF = """
import os, signal, sys
if sys.argv[1] == "blocks":
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
else:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
os.execv(sys.executable, [sys.executable, "-m", "orchd", *sys.argv[2:]])
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("how", ["blocks", "ignores"])
def test_a_signal_stops_a_daemon_after_its_launcher_blocked_or_ignored_it(
    stopped: Instance, how: str, number: signal.Signals
) -> None:
    stopped.start(sys.executable, "-c", _DEAF, how)
    stopped.daemon.send_signal(number)
    assert stopped.daemon.wait(DEADLINE) == 0
    assert "shutting down; 0 agents keep running" in stopped.log()


def test_sighup_does_not_stop_the_daemon(instance: Instance) -> None:
    instance.daemon.send_signal(signal.SIGHUP)
    assert instance.status()["daemon"]["pid"] == instance.daemon.pid


def test_a_stopped_daemon_leaves_no_write_ahead_log(stopped: Instance) -> None:
    stopped.start()
    stopped.ctl("pause")
    stopped.stop()
    assert not stopped.home.database.with_name("orchd.db-wal").exists()


def test_agents_inherit_neither_the_lock_nor_the_sockets_of_the_daemon(instance: Instance) -> None:
    agent_id = instance.spawn("sleep", "600")
    shim = instance.agent(agent_id)["pid"]
    (agent,) = until(lambda: psutil.Process(shim).children())
    until(lambda: agent.name() == "sleep")
    assert descriptors(agent.pid).keys() == {"0", "1", "2"}
    links = list(descriptors(shim).values())
    (gate,) = [what for what in links if what.startswith("socket:")]
    assert sorted(links) == sorted(
        ["/dev/null", gate, *[f"{instance.home.agents}/{agent_id}.1.{kind}" for kind in ("log", "log", "exit")]]
    )
    assert gate not in descriptors(instance.daemon.pid).values()


def test_a_home_that_cannot_be_created_is_refused(stopped: Instance, tmp_path: Path) -> None:
    elsewhere = tmp_path / "x"
    process = subprocess.run(
        [sys.executable, "-m", "orchd", "--home", str(elsewhere / "file" / "below")],
        env=stopped.env,
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE,
        preexec_fn=lambda: _file(elsewhere),
    )
    assert process.returncode == 1
    assert "cannot create" in process.stderr
    assert "ORCHD_HOME" in process.stderr


def _file(directory: Path) -> None:
    directory.mkdir()
    (directory / "file").write_text("mine")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("limit = 0", "limit must be between 1 and 10,000, not 0"),
        ("limt = 3", "limt is an unknown key"),
        ("limit = ", "Invalid value"),
    ],
)
def test_an_invalid_configuration_is_refused_with_its_path(stopped: Instance, text: str, message: str) -> None:
    stopped.home.create()
    stopped.configure(text)
    process = stopped.refusal()
    assert process.returncode == 1
    assert f"{stopped.home.config}: {message}" in process.stderr
    assert not stopped.home.database.exists()


@needs_root
@pytest.mark.parametrize("how", [1, 2])
def test_a_proc_mount_with_hidepid_is_refused_and_reported_by_doctor(tmp_path: Path, how: int) -> None:
    """Another user, who may read all files, so that they can run this Python."""
    script = f'mount -t proc -o hidepid={how} proc /proc && exec setpriv "$@"'
    user = [f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    apart = ["unshare", "--mount", "sh", "-c", script, "sh", *user, *(f"--{kind}-caps=+dac_override" for kind in KINDS)]
    env = {**os.environ, "ORCHD_HOME": str(tmp_path / "home"), "HOME": str(tmp_path)}

    def said(*words: str) -> str:
        process = subprocess.run(
            [*apart, *words], env=env, capture_output=True, text=True, check=False, timeout=DEADLINE
        )
        return f"{process.returncode}: {process.stdout}{process.stderr}"

    if (tried := said("true")) != "0: ":
        pytest.skip(f"cannot hide processes here: {tried}")
    refused = said(sys.executable, "-m", "orchd")
    assert refused.startswith("1: ")
    assert "mount it with hidepid=0, or with gid= of a group that this user is in" in refused
    assert not (tmp_path / "home").exists()
    assert "problem  processes   /proc hides" in said(sys.executable, "-m", "orchctl", "doctor")


def test_the_daemon_reaps_orphaned_processes(instance: Instance) -> None:
    instance.ctl("wait", instance.spawn("sh", "-c", "for i in 1 2 3; do setsid true & done; wait"))
    children = f"/proc/{instance.daemon.pid}/task/{instance.daemon.pid}/children"
    until(lambda: not Path(children).read_text().split())


def test_the_working_directory_of_the_daemon_is_the_root(instance: Instance) -> None:
    assert os.readlink(f"/proc/{instance.daemon.pid}/cwd") == "/"
