"""The record that an attempt leaves of its end."""

from __future__ import annotations

import errno
import os
import subprocess
from pathlib import Path

import pytest

from orchd.core.state.agents import Note, Report
from orchd.core.state.spending import Spent
from orchd.instance.runner_report import RunnerReport as Told
from orchd.instance.runner_report import write
from orchd.processes.exit_record import is_left_alone, report_in, text_of
from orchd.processes.linux.procfs import BOOT


def test_a_missing_record_is_read_as_empty_text(tmp_path: Path) -> None:
    record = tmp_path / "record"
    assert text_of(str(record)) == ""
    record.write_bytes(b"boot\n\xff7\n")
    assert text_of(str(record)) == "boot\n\ufffd7\n"


def test_a_fifo_or_directory_is_read_as_empty_text_without_blocking(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert [text_of(str(tmp_path / name)) for name in ("pipe", ".")] == ["", ""]


def test_a_record_path_broken_by_an_agent_is_read_as_empty_text(tmp_path: Path) -> None:
    (tmp_path / "round").symlink_to("round")
    (tmp_path / "file").touch()
    assert [text_of(str(tmp_path / name)) for name in ("round", "file/below")] == ["", ""]


def test_a_record_that_cannot_be_opened_is_not_read_as_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else an agent that ended well would be called lost for want of a descriptor."""
    (tmp_path / "record").write_text("boot\n0\n")

    def none_left(*_: object) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(os, "open", none_left)
    with pytest.raises(OSError, match="Too many open files"):
        text_of(str(tmp_path / "record"))


def test_a_runner_report_is_converted_to_the_core_report(tmp_path: Path) -> None:
    path = tmp_path / "report"
    assert report_in(str(path)) is None
    write(path, Told(status="completed", input_tokens=5, turns=2, notes=(("a", "b"),)))
    assert report_in(str(path)) == Report(spent=Spent(5, cost_unknown=1), turns=2, notes=(Note("a", "b"),))
    write(path, Told(status="failed"))
    assert report_in(str(path)) == Report("failed", Spent(cost_unknown=1))
    write(path, Told(status="rate-limited", reason="too many", retry_at=9.0))
    assert report_in(str(path)) == Report("too many", Spent(cost_unknown=1), limited_until=9.0)


def test_a_pid_identifies_a_session_only_until_it_can_be_reused(tmp_path: Path) -> None:
    record = tmp_path / "record"
    record.write_bytes(BOOT + b"\n")
    with subprocess.Popen(["true"]) as ended_process:
        ended_process.wait(10)
        assert is_left_alone(str(record), ended_process.pid)
    assert not is_left_alone(str(record), os.getpid())
    record.write_bytes(b"another boot\n")
    assert not is_left_alone(str(record), ended_process.pid)
