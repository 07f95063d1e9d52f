"""The daemon's limit of open files, and that of its agents."""

from __future__ import annotations

import json
import os
import re
import resource
import socket
import sys
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import pytest

from orchd.processes.linux import descriptors
from tests.conftest import Instance, until
from tests.support.machine import descriptors as open_files
from tests.support.raw import Raw


def start_limited(stopped: Instance, limits: str) -> None:
    """Start the daemon under limits of the shell's `ulimit`."""
    stopped.home.create()
    stopped.start("sh", "-c", f'{limits}; exec "$0" "$@"', sys.executable, "-m", "orchd")


def test_daemon_raises_its_file_limit_and_agents_get_the_original_limit(
    stopped: Instance,
) -> None:
    start_limited(stopped, "ulimit -Sn 300; ulimit -Hn 700")
    assert resource.prlimit(stopped.daemon.pid, resource.RLIMIT_NOFILE) == (700, 700)
    agents = [{"command": ["sh", "-c", "ulimit -Sn; ulimit -Hn"]}]
    with Raw(stopped.home) as raw:  # a client that says nothing of its own limits
        raw.ask("spawn", {"agents": agents, "cwd": "/", "env": {"PATH": "/bin:/usr/bin"}})
    stopped.ctl("wait", "1")
    assert stopped.ctl("logs", "1").split() == ["300", "700"]


def test_daemon_refuses_to_start_if_the_hard_file_limit_is_too_low(stopped: Instance) -> None:
    process = stopped.refusal("sh", "-c", 'ulimit -n 44; exec "$0" "$@"')
    assert process.returncode == 1
    assert re.search(
        r"the hard limit of open files is 44, but agents need at least \d+: .*LimitNOFILE=",
        process.stderr,
    )
    least = int(re.findall(r"at least (\d+)", process.stderr)[0])
    start_limited(stopped, f"ulimit -n {least + 1}")  # a descriptor more: the end of the pipe for `ready`
    agent_id = stopped.spawn("true")
    assert "completed" in stopped.ctl("wait", agent_id)


def test_doctor_reports_the_file_limit_of_the_daemon_and_not_its_own(stopped: Instance) -> None:
    start_limited(stopped, "ulimit -n 300")
    findings = json.loads(stopped.ctl("doctor", "--json", code=None))["findings"]
    ((state, what),) = [(finding["state"], finding["what"]) for finding in findings if finding["check"] == "limits"]
    assert state == "warning"
    assert what.startswith(f"the daemon, pid {stopped.daemon.pid}, may have 300 open files, ")


@pytest.mark.parametrize(
    ("files", "most"), [(64, 8), (10, 8), (256, 56), (1024, 248), (20_000, 4096), (resource.RLIM_INFINITY, 4096)]
)
def test_connections_leave_half_of_the_descriptors_to_agents(
    files: int, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (files, files))
    assert descriptors.most_connections() == most


@pytest.fixture
def small(stopped: Instance) -> Instance:
    """A daemon with 64 descriptors, and room for eight connections."""
    start_limited(stopped, "ulimit -n 64")
    stopped.ctl("limit", "30")
    return stopped


def connect(stack: ExitStack, path: Path, count: int) -> list[socket.socket]:
    """Connections that say nothing."""
    sockets = [stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(count)]
    for client in sockets:
        client.connect(str(path))
    return sockets


@pytest.mark.parametrize("name", ["socket", "events"])
def test_idle_connections_leave_descriptors_to_other_clients_and_agents(small: Instance, name: str) -> None:
    with ExitStack() as stack:
        connect(stack, getattr(small.home, name), 100)
        started = [small.spawn("sh", "-c", "exit 3") for _ in range(3)]
        connect(stack, getattr(small.home, name), 100)
        assert small.ctl("wait", *started, code=1).count("failed") == 3
        assert len(open_files(small.daemon.pid)) < 60
        assert small.daemon.poll() is None
    until(lambda: len(open_files(small.daemon.pid)) < 30)


def test_excess_connection_is_refused_as_busy_until_others_close(small: Instance) -> None:
    with ExitStack() as stack:
        for _ in range(6):  # the share of the owner
            assert stack.enter_context(Raw(small.home)).ask("limit")["ok"]
        for _ in range(3):
            assert "busy: the daemon accepts no more connections" in small.ctl("limit", "--json", code=1).replace(
                '"code":"busy","message":"', "busy: "
            )
        assert small.log().count("refused a connection") == 1
    until(lambda: "30" in small.ctl("limit", code=None))


def test_agents_beyond_the_descriptor_limit_start_as_others_end(small: Instance) -> None:
    """Each takes several; those for which there are none wait for the next try, and no end is lost."""
    with Raw(small.home) as raw:
        agents = [{"command": ["sh", "-c", f"exit {number % 2}"]} for number in range(60)]
        assert raw.ask("spawn", {"agents": agents, "cwd": "/", "env": small.env})["ok"]
    small.ctl("wait", *(f"agent-{number:03d}" for number in range(1, 61)), code=1)  # some may have ended by now
    ended = [agent["exit_code"] for agent in small.status("--all")["agents"]]
    assert sorted(ended) == [0] * 30 + [1] * 30


def test_running_agents_leave_the_descriptors_needed_to_detect_their_end(small: Instance) -> None:
    """With whatever number of files: they begin as there are descriptors for them, and each end is known."""
    with Raw(small.home) as raw:
        agents = [{"command": ["sleep", "1000"]} for _ in range(30)]
        assert raw.ask("spawn", {"agents": agents, "cwd": "/", "env": small.env})["ok"]
    begun = [agent["id"] for agent in small.status()["agents"] if agent["status"] == "running"]
    assert 0 < len(begun) < 30
    assert len(open_files(small.daemon.pid)) <= 64 - 8
    small.ctl("cancel", *(f"agent-{number:03d}" for number in range(1, 31)))
    small.ctl("wait", "--all", code=None)
    assert {agent["status"] for agent in small.status("--all")["agents"]} == {"cancelled"}
    assert small.daemon.poll() is None


@pytest.mark.parametrize("size", [0, None])
def test_descriptor_checks_fail_before_the_last_descriptor_is_used(
    size: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the kernel does not count them for us."""
    stat, limits = os.stat, resource.getrlimit(resource.RLIMIT_NOFILE)
    if size is not None:
        monkeypatch.setattr(os, "stat", lambda path: SimpleNamespace(st_size=size) if "fd" in str(path) else stat(path))
    count = len(os.listdir("/proc/self/fd"))
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count + 40, limits[1]))
        descriptors.check_for_attempt()
        resource.setrlimit(resource.RLIMIT_NOFILE, (count + 20, limits[1]))
        descriptors.check_for_client()
        with pytest.raises(OSError, match="Too many open files"):
            descriptors.check_for_attempt()
        resource.setrlimit(resource.RLIMIT_NOFILE, (count + 8, limits[1]))
        with pytest.raises(OSError, match="Too many open files"):
            descriptors.check_for_client()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
