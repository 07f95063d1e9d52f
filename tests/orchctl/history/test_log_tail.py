"""The ends of logs."""

from __future__ import annotations

import os
from pathlib import Path

from orchctl.history.log_tail import tail


def test_the_last_lines_are_read_and_of_a_long_one_the_end(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"a\nb\n\xff\nlast")
    assert tail(str(log), 2) == ["\ufffd", "last"]
    assert tail(str(log), 9) == ["a", "b", "\ufffd", "last"]
    log.write_bytes(b"x" * 10**7 + b"end\n")
    (line,) = tail(str(log), 1)
    assert line.endswith("xend")
    assert len(line) < 2000


def test_a_log_that_is_not_there_has_no_lines(tmp_path: Path) -> None:
    assert tail(str(tmp_path / "none"), 3) == []
    assert tail(None, 3) == []
    (tmp_path / "empty").touch()
    assert tail(str(tmp_path / "empty"), 3) == []


def test_what_was_left_out_of_a_log_is_no_part_of_its_end(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as file:
        file.write(b"head\n".ljust(4096, b"x"))
        file.truncate(1 << 20)
        file.seek(0, os.SEEK_END)
        file.write(b"one\ntwo\n")
    assert tail(str(tmp_path / "log"), 9) == ["one", "two"]
