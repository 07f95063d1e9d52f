"""`orchctl daemon start|run|status|restart`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.conftest import Instance, until
from tests.e2e.fleet import is_alive
from tests.orchctl.conftest import Background, Orchctl


def pid(orchctl: Orchctl) -> int:
    """Return the pid of the daemon that answers."""
    return int(json.loads(orchctl("daemon", "status", "--json").out)["pid"])


def test_daemon_start_starts_a_single_daemon(stopped: Instance, orchctl: Orchctl) -> None:
    first_start = orchctl("daemon", "start")
    assert (first_start.code, first_start.err) == (0, "")
    assert f"home {stopped.directory}, " in first_start.out
    second_start = json.loads(orchctl("daemon", "start", "--json").out)
    assert f"pid {second_start['pid']}, " in first_start.out


def test_daemon_status_starts_no_daemon(stopped: Instance, orchctl: Orchctl) -> None:
    result = orchctl("daemon", "status")
    assert (result.code, result.out) == (69, "")
    assert result.err.startswith("no-daemon: ")
    assert not stopped.home.database.exists()


def test_daemon_restart_replaces_the_daemon_and_keeps_the_agents(stopped: Instance, orchctl: Orchctl) -> None:
    orchctl("daemon", "start")
    agent_id = stopped.spawn("sleep", "60")
    before, agent = pid(orchctl), stopped.agent(agent_id)["pid"]
    assert orchctl("daemon", "restart").code == 0
    assert pid(orchctl) != before
    assert stopped.agent(agent_id)["pid"] == agent
    assert not is_alive(before)


def test_daemon_restart_starts_a_daemon_where_none_runs(stopped: Instance, orchctl: Orchctl) -> None:
    assert orchctl("daemon", "restart").code == 0
    assert orchctl("daemon", "status").code == 0


def test_daemon_restart_keeps_the_daemon_when_the_configuration_is_invalid(stopped: Instance, orchctl: Orchctl) -> None:
    orchctl("daemon", "start")
    before = pid(orchctl)
    stopped.configure("limit = 0\n")
    result = orchctl("daemon", "restart")
    assert result.code == 1
    assert result.err.startswith("bad-config: ")
    assert "limit must be between 1 and 10,000, not 0" in result.err
    assert pid(orchctl) == before


@pytest.mark.parametrize("words", [("daemon", "start"), ("daemon", "stop"), ("status",), ("spawn", "--", "true")])
def test_a_home_whose_path_is_not_utf8_is_refused(stopped: Instance, tmp_path: Path, words: tuple[str, ...]) -> None:
    home = os.fsencode(tmp_path) + b"/\xff"
    env = {**stopped.env, "ORCHD_HOME": os.fsdecode(home)}
    process = subprocess.run(["orchctl", *words], env=env, capture_output=True, text=True)
    assert process.returncode != 0
    message = f"the path of the home is not valid UTF-8: {tmp_path}/\\xff; set ORCHD_HOME to another directory\n"
    assert process.stderr.endswith(message)
    assert process.stderr.count("\n") == 1
    assert not os.path.exists(home)


def test_an_agent_may_not_restart_the_daemon(instance: Instance, orchctl: Orchctl) -> None:
    before = pid(orchctl)
    agent_id = instance.spawn("orchctl", "daemon", "restart")
    instance.ctl("wait", agent_id, code=1)
    assert instance.ctl("logs", agent_id).startswith("forbidden: ")
    assert pid(orchctl) == before


def test_daemon_run_runs_the_daemon_in_the_same_process(
    stopped: Instance, orchctl: Orchctl, background: Background
) -> None:
    command = background("daemon", "run")
    until(lambda: orchctl("daemon", "status").code == 0)
    assert pid(orchctl) == command.pid
    os.kill(command.pid, signal.SIGTERM)
    assert command.wait(30) == 0
