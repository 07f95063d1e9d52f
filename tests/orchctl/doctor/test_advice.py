"""Doctor finds quickly what keeps a daemon from serving, and the commands that it advises mend it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import BIN, DEADLINE, Instance, until
from tests.support.machine import NOBODY, full, needs_root, remount, tmpfs
from tests.support.raw import Raw, request

SECONDS = 2.0  # of a machine that has nothing else to do


def problems_by_check(instance: Instance, **env: str) -> dict[str, list[dict[str, str]]]:
    """Return the problems that doctor finds, by check."""
    text = instance.ctl("doctor", "--json", code=None, env=env)
    wrong: dict[str, list[dict[str, str]]] = {}
    for finding in json.loads(text)["findings"]:
        if finding["state"] != "ok":
            wrong.setdefault(finding["check"], []).append(finding)
    return wrong


def follow(instance: Instance, remedy: str) -> None:
    """Run the commands in a remedy, in their order."""
    commands = re.findall(r"`([^`]+)`", remedy)
    assert commands, remedy
    for command in commands:
        subprocess.run(command, shell=True, env=instance.env, cwd="/", check=True, capture_output=True, timeout=60)


def no_socket(instance: Instance) -> None:
    """Stop the daemon and remove its socket."""
    hang(instance)
    instance.home.socket.unlink()


def hang(instance: Instance) -> None:
    """Stop the daemon, so that it answers nothing."""
    instance.daemon.send_signal(signal.SIGSTOP)


def no_lock(instance: Instance) -> None:
    """Stop the daemon and remove its lock."""
    hang(instance)
    instance.home.lock.unlink()


def torn(instance: Instance) -> None:
    """Damage the database while no daemon runs."""
    instance.stop()
    content = instance.home.database.read_bytes()
    instance.home.database.write_bytes(content[:4096] + b"\1" * max(4096, len(content) - 4096))


def open_to_all(instance: Instance) -> None:
    """Let other users write."""
    instance.directory.chmod(0o777)


STATES: list[tuple[Callable[[Instance], None], str, str]] = [
    (hang, "daemon", "does not answer"),
    (no_socket, "daemon", "does not listen on"),
    (no_lock, "daemon", "does not answer"),
    (torn, "database", "orchd.db"),
    (open_to_all, "rights", "is accessible to other users"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("harm", "check", "detail"), STATES, ids=[harm.__name__ for harm, _, _ in STATES])
def test_doctor_detects_each_bad_state_and_its_advice_repairs_it(
    instance: Instance, harm: Callable[[Instance], None], check: str, detail: str
) -> None:
    instance.ctl("wait", instance.spawn("true"))
    harm(instance)
    (finding,) = problems_by_check(instance)[check]
    assert finding["state"] == "problem"
    assert detail in finding["what"]
    if harm in (hang, no_socket, no_lock):
        assert f"pid {instance.daemon.pid}" in finding["what"]
    follow(instance, finding["remedy"])
    if harm is not open_to_all:
        instance.daemon.wait(DEADLINE)
    assert check not in problems_by_check(instance)
    instance.ctl("spawn", "--wait", "--", "true")


@needs_root
def test_doctor_has_findings_on_a_home_of_another_user(stopped: Instance) -> None:
    stopped.start()
    stopped.stop()
    os.chown(stopped.directory, NOBODY, NOBODY)
    rights = "-dac_override,-dac_read_search"  # root, who can read only what is its own
    command = [
        "setpriv",
        f"--bounding-set={rights}",
        f"--inh-caps={rights}",
        sys.executable,
        str(BIN / "orchctl"),
        "doctor",
    ]
    result = subprocess.run([*command, "--json"], env=stopped.env, capture_output=True, text=True, cwd="/", check=False)
    os.chown(stopped.directory, 0, 0)
    findings = json.loads(result.stdout)["findings"]
    wrong = {finding["check"]: finding for finding in findings if finding["state"] == "problem"}
    assert (result.returncode, {"home", "rights", "database"} - wrong.keys()) == (1, set())
    assert wrong["database"]["what"] == f"not checked: cannot read {stopped.home.database}: Permission denied"
    assert [finding["check"] for finding in findings].count("rights") == 1
    assert findings[-1]["check"] == "orphans"


@needs_root
def test_doctor_detects_a_full_disk_and_its_advice_frees_space(stopped: Instance) -> None:
    with tmpfs(stopped.directory, "8m"):
        stopped.configure('keep_bytes = "1G"\nfree_bytes = 0\n')
        stopped.start()
        stopped.ctl("wait", stopped.spawn("sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' x"))
        with full(stopped.directory):

            def full_disk() -> dict[str, str] | None:
                (finding,) = problems_by_check(stopped).get("daemon", [{"what": ""}])
                return finding if "cannot write: the disk of" in finding["what"] else None

            with Raw(stopped.home) as raw:
                raw.send(request("more", "limit", {"limit": 3}))
                finding = until(full_disk)
            assert "database" not in problems_by_check(stopped)
            follow(stopped, finding["remedy"])
            until(lambda: "daemon" not in problems_by_check(stopped))
        stopped.stop()


@needs_root
def test_doctor_and_start_commands_report_a_read_only_home(stopped: Instance) -> None:
    with tmpfs(stopped.directory, "4m"):
        stopped.start()
        stopped.stop()
        remount(stopped.directory, "ro")
        (finding,) = problems_by_check(stopped)["home"]
        assert "Read-only file system" in finding["what"]
        for words in (("spawn", "--", "true"), ("daemon", "start")):
            result = subprocess.run([BIN / "orchctl", *words], env=stopped.env, capture_output=True, text=True, cwd="/")
            assert result.returncode == 69, result
            assert result.stderr.startswith("home: cannot write in ")
            assert "mount it writable, or set ORCHD_HOME" in result.stderr
        remount(stopped.directory, "rw")


@pytest.mark.parametrize("home", ["/proc/nohome", "/dev/null"])
def test_doctor_detects_an_impossible_home(stopped: Instance, home: str) -> None:
    (finding,) = problems_by_check(stopped, ORCHD_HOME=home)["home"]
    assert (finding["state"], home in finding["what"]) == ("problem", True)
    assert "set ORCHD_HOME to" in finding["remedy"]
    stopped.ctl("spawn", "--", "true", env={"ORCHD_HOME": home}, code=69)


def test_doctor_detects_an_unreadable_configuration(stopped: Instance) -> None:
    stopped.home.create()
    stopped.home.config.mkdir()
    (finding,) = problems_by_check(stopped)["config"]
    assert "cannot be read" in finding["what"]


def test_doctor_is_quick_when_the_daemon_does_not_answer(instance: Instance) -> None:
    instance.ctl("doctor")
    hang(instance)
    durations = []
    for _ in range(3):
        began = time.monotonic()
        instance.ctl("doctor", code=1)
        durations.append(time.monotonic() - began)
    assert min(durations) < SECONDS * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1)), durations
    instance.daemon.send_signal(signal.SIGCONT)


def test_doctor_reports_the_cgroups_of_the_daemon(instance: Instance) -> None:
    value = json.loads(instance.ctl("doctor", "--json", code=None))
    (finding,) = (finding for finding in value["findings"] if finding["check"] == "cgroups")
    base = json.loads(instance.ctl("daemon", "status", "--json"))["cgroups"]
    assert (base in finding["what"]) if base else finding["state"] == "warning"


def test_doctor_leaves_a_damaged_database_unchanged(stopped: Instance, tmp_path: Path) -> None:
    stopped.home.create()
    stopped.home.database.write_bytes(b"x" * 8192)
    shutil.copytree(stopped.directory, tmp_path / "before")
    assert "database" in problems_by_check(stopped)
    assert stopped.home.database.read_bytes() == b"x" * 8192
    assert {path.name for path in stopped.directory.iterdir()} == {
        path.name for path in (tmp_path / "before").iterdir()
    }


FIFO_AT = ("orchd.lock", "start.lock", "daemon.log", "namespaces")
MISPLACED: list[tuple[str, Callable[[Path], object]]] = [
    *((name, lambda path: os.mkfifo(path)) for name in FIFO_AT),
    ("agents", lambda path: path.write_text("x")),
    ("orchd.sock", lambda path: path.mkdir()),
]


@pytest.mark.parametrize(("name", "put"), MISPLACED, ids=[name for name, _ in MISPLACED])
def test_doctor_detects_a_wrong_file_type_and_its_advice_repairs_it(
    stopped: Instance, name: str, put: Callable[[Path], None]
) -> None:
    path = stopped.directory / name
    put(path)
    assert str(path) in stopped.ctl("doctor", code=1)
    result = subprocess.run(
        [BIN / "orchctl", "daemon", "start"], env=stopped.env, cwd="/", capture_output=True, text=True, check=False
    )
    assert result.returncode == 69
    assert f"{path} is not a" in result.stderr
    (finding,) = problems_by_check(stopped)["files"]
    follow(stopped, finding["remedy"])
    assert "files" not in problems_by_check(stopped)
    stopped.start()
    stopped.ctl("spawn", "--wait", "--", "true")


def test_doctor_reports_no_rights_problem_for_a_link_to_a_device(stopped: Instance) -> None:
    stopped.home.config.symlink_to("/dev/zero")
    wrong = problems_by_check(stopped)
    assert "config" in wrong
    assert "rights" not in wrong


def test_a_failed_restart_leaves_the_daemon_serving(instance: Instance) -> None:
    (instance.directory / "daemon.log").unlink()
    os.mkfifo(instance.directory / "daemon.log")
    instance.ctl("daemon", "restart", code=69)
    instance.ctl("spawn", "--wait", "--", "true")
    (instance.directory / "daemon.log").unlink()


def test_doctor_checks_for_orphans_beside_thousands_of_queued_agents(instance: Instance) -> None:
    instance.ctl("pause")
    instance.ctl("spawn", "--batch", "-", stdin='{"command": ["true"]}\n' * 9000)
    assert "orphans" not in problems_by_check(instance)
