"""A runner's report: written whole, read with suspicion."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchd.instance.runner_report import LONGEST, PERMISSIONS_DENIED, RunnerNote, RunnerReport, read, write

NOTES = (RunnerNote(PERMISSIONS_DENIED, "3 permissions denied"),)
FULL = RunnerReport("failed", "it said so", 1, 2, 3, 4, 0.5, "cli", "s-1", "opus", 7, 1_800_000_000.5, NOTES)


@pytest.mark.parametrize("report", [RunnerReport("completed"), FULL], ids=["short", "full"])
def test_a_written_report_is_read_back_unchanged(tmp_path: Path, report: RunnerReport) -> None:
    write(tmp_path / "r", RunnerReport("failed"))
    write(tmp_path / "r", report)
    assert read(str(tmp_path / "r")) == report
    assert [path.name for path in tmp_path.iterdir()] == ["r"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"status": "fine"}',
        '{"status": "completed", "input_tokens": -1}',
        '{"status": "completed", "cost_usd": NaN}',
        '{"status": "completed", "reason": 3}',
        json.dumps({"status": "completed", "reason": "x" * LONGEST}),
        "[" * 60_000,
        '{"status": "completed", "notes": [["alone"]]}',
        '{"status": "completed", "notes": "none"}',
        json.dumps({"status": "completed", "notes": [["a", "b"]] * 17}),
        '{"status": "completed", "cost_usd": 1%s}' % ("0" * 400),
    ],
)
def test_an_invalid_report_is_ignored(tmp_path: Path, text: str) -> None:
    (tmp_path / "r").write_text(text)
    assert read(str(tmp_path / "r")) is None


@given(st.binary(max_size=50))
def test_arbitrary_bytes_are_read_as_no_report(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "bytes"
    path.write_bytes(content)
    assert read(str(path)) is None


def test_a_missing_or_nonregular_file_is_read_as_no_report(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    assert [read(str(tmp_path / name)) for name in ("nothing", "fifo", ".")] == [None, None, None]


def test_a_lone_surrogate_is_replaced(tmp_path: Path) -> None:
    """A CLI that cuts its text in the middle of an emoji writes that as JSON, and no database takes it."""
    (tmp_path / "r").write_text('{"status": "failed", "reason": "could not edit \\ud83d", "model": "\\udcff"}')
    report = read(str(tmp_path / "r"))
    assert report is not None
    assert (report.reason, report.model) == ("could not edit ?", "?")


def test_control_characters_are_cleaned_and_the_report_is_kept(tmp_path: Path) -> None:
    report = RunnerReport(
        "failed", "a \0 b\x1b[2J\r\nc", cost_usd=3.5, session_id="\0", notes=(RunnerNote("x", "y\0"),)
    )
    clean = RunnerReport("failed", "a   b [2J  c", cost_usd=3.5, session_id="", notes=(RunnerNote("x", "y"),))
    write(tmp_path / "r", report)
    assert read(str(tmp_path / "r")) == clean
    (tmp_path / "r").write_text(json.dumps(asdict(report)))  # as a runner of an earlier version writes it
    assert read(str(tmp_path / "r")) == clean


def test_a_report_of_version_1_has_no_notes(tmp_path: Path) -> None:
    (tmp_path / "r").write_text('{"status": "completed", "turns": 2}')
    report = read(str(tmp_path / "r"))
    assert report is not None
    assert (report.turns, report.notes) == (2, ())
