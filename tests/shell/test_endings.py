"""What an attempt left behind that says how it ended."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from orchd.core.model import Report
from orchd.core.spending import Spent
from orchd.procs.endings import is_left_alone, report_in, text_of
from orchd.procs.procfs import BOOT
from orchd.wire.reports import Report as Told
from orchd.wire.reports import write


def test_a_record_that_is_gone_says_nothing(tmp_path: Path) -> None:
    record = tmp_path / "record"
    assert text_of(str(record)) == ""
    record.write_bytes(b"boot\n\xff7\n")
    assert text_of(str(record)) == "boot\n\ufffd7\n"


def test_a_report_is_said_in_the_words_of_the_core(tmp_path: Path) -> None:
    path = tmp_path / "report"
    assert report_in(str(path)) is None
    write(path, Told(status="completed", input_tokens=5, turns=2))
    assert report_in(str(path)) == Report(spent=Spent(5), turns=2)
    write(path, Told(status="failed"))
    assert report_in(str(path)) == Report("failed")
    write(path, Told(status="rate-limited", reason="too many", retry_at=9.0))
    assert report_in(str(path)) == Report("too many", limited_until=9.0)


def test_a_pid_names_a_session_as_long_as_nobody_else_can_have_it(tmp_path: Path) -> None:
    record = tmp_path / "record"
    record.write_bytes(BOOT + b"\n")
    with subprocess.Popen(["true"]) as gone:
        gone.wait(10)
        assert is_left_alone(str(record), gone.pid)
    assert not is_left_alone(str(record), os.getpid())
    record.write_bytes(b"another boot\n")
    assert not is_left_alone(str(record), gone.pid)
