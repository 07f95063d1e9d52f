"""The ends of logs."""

from __future__ import annotations

import os
from pathlib import Path

from orchctl.history.log_tail import tail


def test_tail_returns_the_last_lines_and_the_end_of_a_long_line(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"a\nb\n\xff\nlast")
    assert tail(str(log), 2) == ["\ufffd", "last"]
    assert tail(str(log), 9) == ["a", "b", "\ufffd", "last"]
    log.write_bytes(b"x" * 10**7 + b"end\n")
    (line,) = tail(str(log), 1)
    assert line.endswith("xend")
    assert len(line) < 2000


def test_a_missing_or_empty_log_has_no_lines(tmp_path: Path) -> None:
    assert tail(str(tmp_path / "none"), 3) == []
    assert tail(None, 3) == []
    (tmp_path / "empty").touch()
    assert tail(str(tmp_path / "empty"), 3) == []


def test_tail_skips_the_hole_of_a_sparse_log(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as file:
        file.write(b"head\n".ljust(4096, b"x"))
        file.truncate(1 << 20)
        file.seek(0, os.SEEK_END)
        file.write(b"one\ntwo\n")
    assert tail(str(tmp_path / "log"), 9) == ["one", "two"]
