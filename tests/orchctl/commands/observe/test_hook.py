"""`orchctl hook`: each event reaches the command once."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Instance, until
from tests.orchctl.conftest import Background, Orchctl

TELL = ("sh", "-c", 'cat >>told; echo " $ORCHD_EVENT_SEQ" >>told')


def received(directory: Path) -> list[dict[str, Any]]:
    """Return the events that the command has received so far."""
    path = directory / "told"
    lines = path.read_text().splitlines() if path.exists() else []
    events = [json.loads(line.rpartition(" ")[0]) for line in lines if "} " in line]
    assert [int(line.rpartition(" ")[2]) for line in lines if "} " in line] == [
        event["event"]["seq"] for event in events
    ]
    return events


def ids(directory: Path) -> list[str]:
    """Return the ids of the agents and runs in these events."""
    return [event["agent"]["id"] if "agent" in event else event["run"]["id"] for event in received(directory)]


def test_hook_reports_each_end_once_across_kills_of_daemon_and_hook(instance: Instance, background: Background) -> None:
    directory = instance.directory
    instance.ctl("wait", instance.spawn("true"))  # before anybody wanted to be told
    command = background("hook", "--position", "position", "--", *TELL)
    until(lambda: (directory / "position").exists())
    instance.ctl("wait", instance.spawn("sh", "-c", "exit 3"), code=1)
    until(lambda: ids(directory) == ["agent-002"])
    instance.kill()
    instance.start()
    instance.ctl("wait", instance.spawn("true"))
    until(lambda: ids(directory) == ["agent-002", "agent-003"])
    until(lambda: int((directory / "position").read_text()) >= received(directory)[-1]["event"]["seq"])
    command.kill()
    command.wait(30)
    instance.ctl("wait", instance.spawn("true"))  # while nobody listens
    second_hook = background("hook", "--position", "position", "--", *TELL)
    until(lambda: ids(directory) == ["agent-002", "agent-003", "agent-004"])
    assert (received(directory)[0]["agent"]["exit_code"], received(directory)[0]["event"]["event"]) == (
        3,
        "agent-failed",
    )
    second_hook.send_signal(signal.SIGINT)
    assert second_hook.wait(30) == 130


def test_hook_repeats_an_event_after_a_kill_during_its_command(
    instance: Instance, background: Background, orchctl: Orchctl
) -> None:
    directory = instance.directory
    assert orchctl("hook", "--once", "--position", str(directory / "position"), "--", "true").code == 0
    command = background("hook", "--position", "position", "--", "sh", "-c", "echo $$ >began; exec sleep 60")
    instance.ctl("wait", instance.spawn("true"))
    hook_pid = int(until(lambda: (directory / "began").exists() and (directory / "began").read_text().strip()))
    command.kill()
    command.wait(30)
    os.kill(hook_pid, signal.SIGKILL)
    instance.ctl("hook", "--once", "--position", "position", "--", *TELL)
    instance.ctl("hook", "--once", "--position", "position", "--", *TELL)
    assert ids(directory) == ["agent-001"]


def test_hook_reports_members_and_their_run_and_prints_command_failures(instance: Instance, orchctl: Orchctl) -> None:
    directory = instance.directory
    instance.ctl("hook", "--once", "--position", "position", "--", "true")
    members = [{"path": "api", "agent": {"command": ["true"]}}]
    with instance.client() as client:
        client.call("run", {"name": "r", "cwd": "/", "env": instance.env, "groups": [{}], "members": members})
    instance.ctl("wait", "run-001")
    result = orchctl("hook", "--once", "--position", "position", "--", *TELL[:2], f"{TELL[2]}; exit 4", cwd=directory)
    assert ids(directory) == ["agent-001", "run-001"]
    assert received(directory)[1]["run"]["status"] == "completed"
    assert result.code == 0
    assert [line.partition(":")[0] for line in result.err.splitlines()] == ["hook-failed"] * 2


@pytest.mark.parametrize("words", ["nonsense", "99999", "9" * 5000, "\udcff"])
def test_hook_refuses_an_invalid_position_and_leaves_the_file_unchanged(
    instance: Instance, orchctl: Orchctl, tmp_path: Path, words: str
) -> None:
    (tmp_path / "position").write_bytes(os.fsencode(words))
    result = orchctl("hook", "--once", "--position", "position", "--", "true")
    assert (result.code, result.err.partition(":")[0]) == (1, "bad-position")
    assert (tmp_path / "position").read_bytes() == os.fsencode(words)


def test_two_hooks_cannot_share_a_position_file(instance: Instance, background: Background) -> None:
    background("hook", "--position", "position", "--", "true")
    until(lambda: (instance.directory / "position").exists())
    instance.ctl("hook", "--once", "--position", "position", "--", "true", code=1)


def test_hook_reports_a_missing_option_command_or_program(instance: Instance, orchctl: Orchctl) -> None:
    assert orchctl("hook", "--", "true").code == 2
    assert orchctl("hook", "--position", "p").code == 2
    assert "no such program: 'nowhere'" in orchctl("hook", "--position", "p", "--", "nowhere").err


def test_hook_runs_its_command_for_a_stall(stopped: Instance, background: Background) -> None:
    directory = stopped.directory
    stopped.configure("limit = 1\nresident = 1\nstall_after = 0.1\n")
    stopped.start()
    background("hook", "--position", "position", "--", *TELL)
    until(lambda: (directory / "position").exists())
    stopped.spawn("sh", "-c", "orchctl spawn -- true; exec sleep 1000")
    (stall,) = until(lambda: received(directory))
    assert stall.keys() == {"event"}
    assert (stall["event"]["event"], stall["event"]["agents"]) == ("stall-began", ["agent-001"])
    assert "--resident" in stall["event"]["reason"]
    stopped.ctl("cancel", "agent-002")
    until(lambda: len(received(directory)) == 2)
    assert received(directory)[1]["agent"]["id"] == "agent-002"
    stopped.ctl("cancel", "agent-001")
