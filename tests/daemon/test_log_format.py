"""The form of the daemon's log."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchd.daemon.log_format import JournalFormatter, goes_to_the_journal
from tests.conftest import DEADLINE, Instance


def said_by_a_daemon(stopped: Instance, tmp_path: Path, *, is_journal: bool) -> str:
    """The line that a daemon which cannot start writes into a file, which is the journal's or not."""
    stopped.home.create()
    stopped.configure("limit = 0")
    with (tmp_path / "said").open("w") as file:
        status = os.fstat(file.fileno())
        stream = f"{status.st_dev}:{status.st_ino if is_journal else status.st_ino + 1}"
        subprocess.run(
            [sys.executable, "-m", "orchd", "--home", str(stopped.directory)],
            env={**stopped.env, "JOURNAL_STREAM": stream},
            stderr=file,
            check=False,
            timeout=DEADLINE,
        )
    return (tmp_path / "said").read_text()


def test_the_journal_gets_priorities_and_no_timestamps(stopped: Instance, tmp_path: Path) -> None:
    assert said_by_a_daemon(stopped, tmp_path, is_journal=True).startswith(f"<2>{stopped.home.config}: limit must be")


def test_a_log_file_gets_timestamps_despite_an_inherited_journal_stream(stopped: Instance, tmp_path: Path) -> None:
    text = said_by_a_daemon(stopped, tmp_path, is_journal=False)
    assert text[:2] == "20"
    assert " CRITICAL " in text


@pytest.mark.parametrize(
    ("level", "number"),
    [
        (logging.CRITICAL, 2),
        (logging.ERROR, 3),
        (logging.WARNING, 4),
        (logging.INFO, 6),
        (logging.DEBUG, 7),
    ],
)
def test_every_line_of_a_message_has_its_priority(level: int, number: int) -> None:
    record = logging.LogRecord("orchd", level, "", 0, "one\ntwo", None, None)
    assert JournalFormatter("%(message)s").format(record) == f"<{number}>one\n<{number}>two"


def test_a_descriptor_is_not_the_journal_without_a_journal_stream() -> None:
    assert not goes_to_the_journal(0, {})
