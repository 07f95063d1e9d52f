"""`orchctl logs`."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.conftest import BIN, Instance
from tests.orchctl.conftest import Background, Orchctl


def test_the_whole_output_is_shown_byte_for_byte(instance: Instance) -> None:
    one = instance.spawn("printf", r"a\n\377\000b")
    instance.ctl("wait", one)
    shown = subprocess.run(
        [BIN / "orchctl", "logs", one], env=instance.env, capture_output=True, check=True, timeout=30
    )
    assert shown.stdout == b"a\n\xff\x00b"


def test_the_last_lines_are_enough_if_asked_for(instance: Instance, orchctl: Orchctl) -> None:
    one = instance.spawn("seq", "1000")
    instance.ctl("wait", one)
    assert orchctl("logs", one, "--lines", "2").out == "999\n1000\n"
    assert orchctl("logs", one, "--lines", "0").out == ""
    assert orchctl("logs", one, "--lines", "-1").code == 2


def test_json_says_where_it_is(instance: Instance, orchctl: Orchctl) -> None:
    one = instance.spawn("echo", "hi")
    instance.ctl("wait", one)
    place = json.loads(orchctl("logs", "1", "--json").out)
    assert Path(place["path"]).read_text() == "hi\n"
    assert (place["id"], place["attempt"], place["attempts"], place["over"]) == (one, 1, 1, True)


def test_an_agent_that_has_not_started_has_no_log(instance: Instance, orchctl: Orchctl) -> None:
    instance.ctl("pause")
    done = orchctl("logs", instance.spawn("true"))
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("no-log: agent-001 ")


def test_output_that_was_deleted_is_told_of(instance: Instance, orchctl: Orchctl) -> None:
    one = instance.spawn("true")
    instance.ctl("wait", one)
    Path(instance.agent(one)["log"]).unlink()
    done = orchctl("logs", one)
    assert done.code == 1
    assert done.err.startswith("no-log: the output of agent-001 is gone")


def test_each_attempt_has_its_own(instance: Instance, orchctl: Orchctl) -> None:
    one = instance.spawn("sh", "-c", 'echo "try $ORCHD_ATTEMPT"; [ "$ORCHD_ATTEMPT" = 2 ]', options=["--retries", "1"])
    instance.ctl("wait", one)
    assert orchctl("logs", one).out == "try 2\n"
    assert orchctl("logs", one, "--attempt", "1").out == "try 1\n"
    assert orchctl("logs", one, "--attempt", "3").code == 1


def test_following_shows_what_is_written_when_it_is_and_ends_with_the_agent(
    instance: Instance, background: Background, gate: Callable[[], None], tmp_path: Path
) -> None:
    one = instance.spawn("sh", "-c", f"echo old; echo one; read x <{tmp_path}/gate; echo two; exit 3")
    command = background("logs", "-f", one, "--lines", "1")
    assert command.stdout is not None
    assert command.stdout.readline() == "one\n"
    gate()
    assert command.communicate(timeout=30) == ("two\n", "")
    assert command.returncode == 0


def test_following_waits_for_the_start_and_goes_on_with_the_next_attempt(
    instance: Instance, background: Background
) -> None:
    instance.ctl("pause")
    one = instance.spawn("sh", "-c", 'echo "try $ORCHD_ATTEMPT"; [ "$ORCHD_ATTEMPT" = 2 ]', options=["--retries", "1"])
    command = background("logs", one, "--follow")
    instance.ctl("resume")
    assert command.communicate(timeout=30) == ("try 1\ntry 2\n", "")


def test_following_what_is_over_shows_it(instance: Instance, orchctl: Orchctl) -> None:
    one = instance.spawn("echo", "hi")
    instance.ctl("wait", one)
    assert orchctl("logs", "-f", one) == (0, "hi\n", "")
    assert orchctl("logs", "-f", one, "--attempt", "1") == (0, "hi\n", "")
    assert orchctl("logs", "-f", one, "--attempt", "2").code == 1


def test_following_an_agent_that_never_starts_ends_with_an_error(instance: Instance, background: Background) -> None:
    instance.ctl("pause")
    one = instance.spawn("true")
    command = background("logs", "-f", one)
    instance.ctl("cancel", one)
    out, err = command.communicate(timeout=30)
    assert (command.returncode, out) == (1, "")
    assert err.startswith("no-log: ")


def test_following_outlives_the_daemon(
    instance: Instance, background: Background, gate: Callable[[], None], tmp_path: Path
) -> None:
    one = instance.spawn("sh", "-c", f"echo one; read x <{tmp_path}/gate; echo two")
    command = background("logs", "-f", one)
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
