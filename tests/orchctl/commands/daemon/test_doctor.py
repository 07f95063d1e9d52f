"""`orchctl doctor`: each finding with its remedy, with and without a daemon."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchd.instance.system.own_cgroup import own_cgroup
from tests.conftest import BIN, DEADLINE, Instance, until
from tests.orchctl.conftest import Orchctl

Left = Callable[[str, str], "subprocess.Popen[bytes]"]


def findings(orchctl: Orchctl, check: str, *words: str) -> list[tuple[str, str]]:
    """Return state and sentence of each finding of one check."""
    value = json.loads(orchctl("doctor", "--json", *words).out)
    assert value["problems"] == sum(finding["state"] == "problem" for finding in value["findings"])
    assert all(finding["remedy"] for finding in value["findings"] if finding["state"] != "ok")
    return [(finding["state"], finding["what"]) for finding in value["findings"] if finding["check"] == check]


@pytest.fixture
def leave(stopped: Instance) -> Iterator[Left]:
    """Starts a process that carries the marks of an attempt."""
    processes: list[subprocess.Popen[bytes]] = []

    def make(agent: str, attempt: str) -> subprocess.Popen[bytes]:
        marks = {"ORCHD_HOME": str(stopped.directory), "ORCHD_AGENT": agent, "ORCHD_ATTEMPT": attempt}
        processes.append(subprocess.Popen(["sleep", "600"], env={**os.environ, **marks}))
        return processes[-1]

    yield make
    for process in processes:
        process.kill()
        process.wait(DEADLINE)


def test_doctor_runs_all_checks_without_starting_a_daemon(orchctl: Orchctl, stopped: Instance) -> None:
    result = orchctl("doctor")
    assert result.code == 0, result.out
    assert "ok       daemon      not running" in result.out
    assert not stopped.home.socket.exists()
    checks = {finding["check"] for finding in json.loads(orchctl("doctor", "--json").out)["findings"]}
    expected_checks = {
        "config",
        "rights",
        "daemon",
        "versions",
        "systemd",
        "cgroups",
        "limits",
        "clock",
        "disk",
        "filesystem",
    }
    assert checks == expected_checks | {
        "resource-limits",
        "processes",
        "runners",
        "orphans",
        "home",
        "database",
        "files",
    }


def test_doctor_reports_the_pid_of_the_daemon(orchctl: Orchctl, instance: Instance) -> None:
    ((state, detail),) = findings(orchctl, "daemon")
    assert (state, f"pid {instance.daemon.pid}" in detail) == ("ok", True)


def test_doctor_reports_how_the_daemon_enforces_resource_limits(orchctl: Orchctl, stopped: Instance) -> None:
    ((_, detail),) = findings(orchctl, "resource-limits")
    assert "depends on where the daemon is started" in detail
    stopped.start()
    memory, _, _ = [detail for _, detail in findings(orchctl, "resource-limits")]
    assert memory.startswith("--memory-max is enforced by ")


def test_doctor_reports_all_configuration_problems(orchctl: Orchctl, stopped: Instance) -> None:
    stopped.configure("limt = 1\ngrace = -1\n")
    assert orchctl("doctor").code == 1
    assert [state for state, _ in findings(orchctl, "config")] == ["problem", "problem"]


def test_doctor_reports_files_accessible_to_other_users(orchctl: Orchctl, instance: Instance) -> None:
    assert [state for state, _ in findings(orchctl, "rights")] == ["ok"]
    instance.home.socket.chmod(0o666)
    instance.directory.chmod(0o755)
    assert [state for state, _ in findings(orchctl, "rights")] == ["problem", "problem"]
    instance.directory.chmod(0o700)


def test_doctor_detects_clock_reset_disk_pressure_and_a_missing_runner(orchctl: Orchctl, stopped: Instance) -> None:
    stopped.home.create()
    stopped.home.database.touch()
    stopped.home.database.chmod(0o600)
    os.utime(stopped.home.database, (4e9, 4e9))
    stopped.configure(f'free_bytes = {1 << 60}\nrunner = "mine"\n[runners.mine]\ncommand = ["gone-agent"]\n')
    assert [state for state, _ in findings(orchctl, "clock")] == ["problem"]
    assert [state for state, _ in findings(orchctl, "disk")] == ["problem"]
    assert ("problem", "gone-agent is not on PATH, and mine is the default runner") in findings(orchctl, "runners")


def test_doctor_detects_and_kills_only_orphans_of_ended_agents(
    orchctl: Orchctl, instance: Instance, leave: Left
) -> None:
    ended, living = instance.spawn("true"), instance.spawn("sleep", "600")
    instance.ctl("wait", ended)
    orphan, own_process = leave(ended, "1"), leave(living, "1")
    assert findings(orchctl, "orphans") == [("problem", f"pid {orphan.pid} is an orphan process of {ended}: sleep 600")]
    assert orchctl("doctor").code == 1
    assert orphan.poll() is None
    assert findings(orchctl, "orphans", "--fix") == [
        ("ok", f"pid {orphan.pid} is an orphan process of {ended}: sleep 600; killed")
    ]
    assert orphan.wait(DEADLINE) == -9
    assert own_process.poll() is None
    assert instance.agent(living)["status"] == "running"
    assert findings(orchctl, "orphans") == [("ok", "no orphan processes")]


def test_doctor_without_a_daemon_does_not_kill_running_agents(orchctl: Orchctl, stopped: Instance, leave: Left) -> None:
    stopped.start()
    ended, agent_id = stopped.spawn("true"), stopped.spawn("sleep", "600")
    stopped.ctl("wait", ended)
    stopped.stop("--keep-agents")
    orphan = leave(ended, "1")
    assert findings(orchctl, "orphans", "--fix")[0][1].startswith(f"pid {orphan.pid} is an orphan process of {ended}")
    stopped.start()
    assert stopped.agent(agent_id)["status"] == "running"


def test_doctor_does_not_kill_agents_of_a_temporarily_moved_home(
    orchctl: Orchctl, stopped: Instance, tmp_path: Path
) -> None:
    stopped.start()
    agent = stopped.spawn("sleep", "600")
    until(lambda: stopped.agent(agent)["status"] == "running")
    stopped.stop("--keep-agents")
    kept_copy = tmp_path / "kept"
    stopped.directory.rename(kept_copy)
    stopped.directory.mkdir(mode=0o700)
    ((state, detail), *_) = findings(orchctl, "orphans", "--fix")
    assert (state, f"the home has no record of {agent}: " in detail) == ("problem", True)
    shutil.rmtree(stopped.directory)
    kept_copy.rename(stopped.directory)
    stopped.start()
    assert stopped.agent(agent)["status"] == "running"


@pytest.fixture
def scope() -> Iterator[Path]:
    """A cgroup that has the name of a scope of systemd."""
    base = own_cgroup()
    if base is None or not os.access(base, os.W_OK):
        pytest.skip("no cgroup of version 2 can be made here")
    cgroup = base / f"run-{os.getpid()}.scope"
    cgroup.mkdir()
    yield cgroup
    until(lambda: not (cgroup / "cgroup.procs").read_text(), what="an empty cgroup")
    for below in sorted((path for path in cgroup.rglob("*") if path.is_dir()), reverse=True):
        below.rmdir()
    cgroup.rmdir()


def test_daemon_start_and_doctor_warn_of_a_daemon_in_a_transient_scope(stopped: Instance, scope: Path) -> None:
    stopped.home.create()
    inside = ["sh", "-c", f'echo 0 > {scope}/cgroup.procs && exec "$@"', "sh", str(BIN / "orchctl")]
    result = subprocess.run(
        [*inside, "daemon", "start"], env=stopped.env, capture_output=True, text=True, timeout=DEADLINE, check=True
    )
    message = f"{scope.name}: the end of the scope ends the daemon and all agents"
    assert message in result.stderr
    findings = json.loads(stopped.ctl("doctor", "--json", code=None))["findings"]
    named = [finding for finding in findings if message in finding["what"]]
    assert [finding["state"] for finding in named] == ["warning"]
    assert "`orchctl service install`" in named[0]["remedy"]
    stopped.ctl("daemon", "stop", "--stop-agents")
