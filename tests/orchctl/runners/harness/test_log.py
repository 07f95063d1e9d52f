"""The log: readable, and never in the agent's way."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from orchctl.runners.harness import log
from orchctl.runners.harness.log import RunnerLog, short
from tests.orchctl.runners.conftest import RUNNERS, Stage


def test_control_characters_are_not_written_to_the_log(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as file:
        RunnerLog(file.fileno()).say("a\x1b[31m\tb \r\n\n  c\u202e\udcff é\n\n", "> ")
    assert (tmp_path / "log").read_text() == "> a?[31m\tb\n> \n>   c?? é\n"


def test_short_returns_one_line_of_limited_length() -> None:
    assert short(" a\n b ") == "a b"
    assert len(short("x" * 10_000)) == 160


def test_a_full_disk_ends_the_log_without_an_error() -> None:
    with Path("/dev/full").open("wb") as full:
        file = RunnerLog(full.fileno())
        file.say("a")
        file.say("b")


def test_a_log_without_an_open_output_raises_no_error() -> None:
    RunnerLog(999).say("a")


def test_a_closed_reader_ends_the_log_without_an_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    RunnerLog(writer).say("a")
    os.close(writer)


def test_a_reader_that_does_not_read_is_abandoned_after_a_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "_PATIENCE", 0.05)
    reader, writer = os.pipe()
    file = RunnerLog(writer)
    file.write(b"x" * 200_000)
    file.say("never")
    os.set_blocking(reader, False)
    assert set(os.read(reader, 1 << 20)) == set(b"x")
    os.close(reader)
    os.close(writer)


@pytest.mark.parametrize("runner", ["claude", "codex"])
def test_an_agent_completes_when_its_log_cannot_be_written(stage: Stage, runner: str) -> None:
    messages = {
        "claude": {"type": "result", "subtype": "success", "result": "All done."},
        "codex": {"type": "turn.completed"},
    }
    long_messages = [{"type": "assistant", "message": {"content": [{"type": "text", "text": "y" * 100_000}]}}] * 20
    last_message = {"type": "item.completed", "item": {"type": "agent_message", "text": "All done."}}
    stage.says(runner, *long_messages, last_message, messages[runner])
    env = {"PATH": f"{stage.bin}:/usr/bin:/bin", "ORCHD_RUNNER": runner, "ORCHD_RESULT": str(stage.result)}
    with Path("/dev/full").open("wb") as full:
        result = subprocess.run(RUNNERS, env=env, stdout=full, stderr=full, stdin=subprocess.DEVNULL, timeout=30)
    assert result.returncode == 0
    assert stage.result.read_text() == "All done."
