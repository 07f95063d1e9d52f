"""The ends of logs."""

from __future__ import annotations

from pathlib import Path

from orchctl.tails import tail


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
