"""`orchctl logs`."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import BIN, Instance
from tests.orchctl.conftest import Background, Orchctl


def test_logs_prints_the_output_byte_for_byte(instance: Instance) -> None:
    agent_id = instance.spawn("printf", r"a\n\377\000b")
    instance.ctl("wait", agent_id)
    output = subprocess.run(
        [BIN / "orchctl", "logs", agent_id], env=instance.env, capture_output=True, check=True, timeout=30
    )
    assert output.stdout == b"a\n\xff\x00b"


def test_the_lines_option_prints_only_the_last_lines(instance: Instance, orchctl: Orchctl) -> None:
    agent_id = instance.spawn("seq", "1000")
    instance.ctl("wait", agent_id)
    assert orchctl("logs", agent_id, "--lines", "2").out == "999\n1000\n"
    assert orchctl("logs", agent_id, "--lines", "0").out == ""
    assert orchctl("logs", agent_id, "--lines", "-1").code == 2


def test_json_output_contains_the_path_of_the_log(instance: Instance, orchctl: Orchctl) -> None:
    agent_id = instance.spawn("echo", "hi")
    instance.ctl("wait", agent_id)
    place = json.loads(orchctl("logs", "1", "--json").out)
    assert Path(place["path"]).read_text() == "hi\n"
    assert (place["id"], place["attempt"], place["attempts"], place["over"]) == (agent_id, 1, 1, True)


def test_an_agent_that_has_not_started_has_no_log(instance: Instance, orchctl: Orchctl) -> None:
    instance.ctl("pause")
    result = orchctl("logs", instance.spawn("true"))
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith("no-log: agent-001 ")


@pytest.mark.parametrize("options", [(), ("-f",), ("--json",)])
def test_an_agent_that_could_not_be_started_refers_to_why(
    options: tuple[str, ...], instance: Instance, orchctl: Orchctl
) -> None:
    dependent = instance.spawn("true", options=["--after", instance.spawn("/no/such/program")])
    instance.ctl("wait", dependent, code=1)
    result = orchctl("logs", "agent-001", *options)
    message = "agent-001 has no output, because it could not be started; `orchctl why agent-001` shows the reason"
    assert (result.code, message in f"{result.out}{result.err}") == (1, True)
    result = orchctl("logs", dependent, *options)
    assert f"it is skipped and has not started; `orchctl why {dependent}` shows" in f"{result.out}{result.err}"


def test_a_deleted_log_is_reported(instance: Instance, orchctl: Orchctl) -> None:
    agent_id = instance.spawn("true")
    instance.ctl("wait", agent_id)
    Path(instance.agent(agent_id)["log"]).unlink()
    result = orchctl("logs", agent_id)
    assert result.code == 1
    assert result.err.startswith("no-log: the log of agent-001 no longer exists: ")


def test_each_attempt_has_its_own_log(instance: Instance, orchctl: Orchctl) -> None:
    agent_id = instance.spawn(
        "sh", "-c", 'echo "try $ORCHD_ATTEMPT"; [ "$ORCHD_ATTEMPT" = 2 ]', options=["--retries", "1"]
    )
    instance.ctl("wait", agent_id)
    assert orchctl("logs", agent_id).out == "try 2\n"
    assert orchctl("logs", agent_id, "--attempt", "1").out == "try 1\n"
    assert orchctl("logs", agent_id, "--attempt", "3").code == 1


def test_follow_prints_new_output_and_ends_with_the_agent(
    instance: Instance, background: Background, gate: Callable[[], None], tmp_path: Path
) -> None:
    agent_id = instance.spawn("sh", "-c", f"echo old; echo one; read x <{tmp_path}/gate; echo two; exit 3")
    command = background("logs", "-f", agent_id, "--lines", "1")
    assert command.stdout is not None
    assert command.stdout.readline() == "one\n"
    gate()
    assert command.communicate(timeout=30) == ("two\n", "")
    assert command.returncode == 0


def test_follow_waits_for_the_start_and_continues_with_the_next_attempt(
    instance: Instance, background: Background
) -> None:
    instance.ctl("pause")
    agent_id = instance.spawn(
        "sh", "-c", 'echo "try $ORCHD_ATTEMPT"; [ "$ORCHD_ATTEMPT" = 2 ]', options=["--retries", "1"]
    )
    command = background("logs", agent_id, "--follow")
    instance.ctl("resume")
    assert command.communicate(timeout=30) == ("try 1\ntry 2\n", "")


def test_follow_prints_the_log_of_a_finished_agent(instance: Instance, orchctl: Orchctl) -> None:
    agent_id = instance.spawn("echo", "hi")
    instance.ctl("wait", agent_id)
    assert orchctl("logs", "-f", agent_id) == (0, "hi\n", "")
    assert orchctl("logs", "-f", agent_id, "--attempt", "1") == (0, "hi\n", "")
    assert orchctl("logs", "-f", agent_id, "--attempt", "2").code == 1


def test_follow_of_an_agent_that_never_starts_ends_with_an_error(instance: Instance, background: Background) -> None:
    instance.ctl("pause")
    agent_id = instance.spawn("true")
    command = background("logs", "-f", agent_id)
    instance.ctl("cancel", agent_id)
    out, err = command.communicate(timeout=30)
    assert (command.returncode, out) == (1, "")
    assert err.startswith("no-log: ")


def test_follow_survives_a_daemon_crash(
    instance: Instance, background: Background, gate: Callable[[], None], tmp_path: Path
) -> None:
    agent_id = instance.spawn("sh", "-c", f"echo one; read x <{tmp_path}/gate; echo two")
    command = background("logs", "-f", agent_id)
    assert command.stdout is not None
    assert command.stdout.readline() == "one\n"
    instance.kill()
    instance.ctl("limit")
    gate()
    assert command.communicate(timeout=30) == ("two\n", "")


def test_an_agent_that_follows_its_child_releases_its_slot(instance: Instance) -> None:
    instance.ctl("limit", "1")
    parent = instance.spawn(
        "sh", "-c", "orchctl logs -f $(orchctl spawn -- echo from the child)", options=["--nesting", "1"]
    )
    instance.ctl("wait", parent)
    assert instance.ctl("logs", parent) == "from the child\n"
