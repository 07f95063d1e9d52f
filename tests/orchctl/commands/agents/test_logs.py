"""`orchctl logs`."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.conftest import BIN, Instance
from tests.orchctl.conftest import Background, Orchctl


def test_the_whole_output_is_shown_byte_for_byte(instance: Instance) -> None:
    agent_id = instance.spawn("printf", r"a\n\377\000b")
    instance.ctl("wait", agent_id)
    output = subprocess.run(
        [BIN / "orchctl", "logs", agent_id], env=instance.env, capture_output=True, check=True, timeout=30
    )
    assert output.stdout == b"a\n\xff\x00b"


def test_the_last_lines_are_enough_if_asked_for(instance: Instance, orchctl: Orchctl) -> None:
    agent_id = instance.spawn("seq", "1000")
    instance.ctl("wait", agent_id)
    assert orchctl("logs", agent_id, "--lines", "2").out == "999\n1000\n"
    assert orchctl("logs", agent_id, "--lines", "0").out == ""
    assert orchctl("logs", agent_id, "--lines", "-1").code == 2


def test_json_says_where_it_is(instance: Instance, orchctl: Orchctl) -> None:
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


def test_output_that_was_deleted_is_told_of(instance: Instance, orchctl: Orchctl) -> None:
    agent_id = instance.spawn("true")
    instance.ctl("wait", agent_id)
    Path(instance.agent(agent_id)["log"]).unlink()
    result = orchctl("logs", agent_id)
    assert result.code == 1
    assert result.err.startswith("no-log: the log of agent-001 no longer exists: ")


def test_each_attempt_has_its_own(instance: Instance, orchctl: Orchctl) -> None:
    agent_id = instance.spawn(
        "sh", "-c", 'echo "try $ORCHD_ATTEMPT"; [ "$ORCHD_ATTEMPT" = 2 ]', options=["--retries", "1"]
    )
    instance.ctl("wait", agent_id)
    assert orchctl("logs", agent_id).out == "try 2\n"
    assert orchctl("logs", agent_id, "--attempt", "1").out == "try 1\n"
    assert orchctl("logs", agent_id, "--attempt", "3").code == 1


def test_following_shows_what_is_written_when_it_is_and_ends_with_the_agent(
    instance: Instance, background: Background, gate: Callable[[], None], tmp_path: Path
) -> None:
    agent_id = instance.spawn("sh", "-c", f"echo old; echo one; read x <{tmp_path}/gate; echo two; exit 3")
    command = background("logs", "-f", agent_id, "--lines", "1")
    assert command.stdout is not None
    assert command.stdout.readline() == "one\n"
    gate()
    assert command.communicate(timeout=30) == ("two\n", "")
    assert command.returncode == 0


def test_following_waits_for_the_start_and_goes_on_with_the_next_attempt(
    instance: Instance, background: Background
) -> None:
    instance.ctl("pause")
    agent_id = instance.spawn(
        "sh", "-c", 'echo "try $ORCHD_ATTEMPT"; [ "$ORCHD_ATTEMPT" = 2 ]', options=["--retries", "1"]
    )
    command = background("logs", agent_id, "--follow")
    instance.ctl("resume")
    assert command.communicate(timeout=30) == ("try 1\ntry 2\n", "")


def test_following_what_is_over_shows_it(instance: Instance, orchctl: Orchctl) -> None:
    agent_id = instance.spawn("echo", "hi")
    instance.ctl("wait", agent_id)
    assert orchctl("logs", "-f", agent_id) == (0, "hi\n", "")
    assert orchctl("logs", "-f", agent_id, "--attempt", "1") == (0, "hi\n", "")
    assert orchctl("logs", "-f", agent_id, "--attempt", "2").code == 1


def test_following_an_agent_that_never_starts_ends_with_an_error(instance: Instance, background: Background) -> None:
    instance.ctl("pause")
    agent_id = instance.spawn("true")
    command = background("logs", "-f", agent_id)
    instance.ctl("cancel", agent_id)
    out, err = command.communicate(timeout=30)
    assert (command.returncode, out) == (1, "")
    assert err.startswith("no-log: ")


def test_following_outlives_the_daemon(
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


def test_following_a_child_lets_it_have_our_place(instance: Instance) -> None:
    instance.ctl("limit", "1")
    parent = instance.spawn(
        "sh", "-c", "orchctl logs -f $(orchctl spawn -- echo from the child)", options=["--nesting", "1"]
    )
    instance.ctl("wait", parent)
    assert instance.ctl("logs", parent) == "from the child\n"
