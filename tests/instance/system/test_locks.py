"""Whether a file is locked."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from orchd.instance.system.locks import Holder, holder, holder_text, is_locked, parse_holder


def test_a_file_is_locked_as_long_as_a_process_holds_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert not is_locked(path)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert is_locked(path)
    assert not is_locked(path)


def test_a_fifo_as_a_lock_file_does_not_block_the_check(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "lock")
    assert not is_locked(tmp_path / "lock")


def test_the_holder_is_read_from_a_locked_file_only(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert holder(path) is None
    path.write_bytes(holder_text(12, "1.2"))
    assert holder(path) is None
    with path.open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert holder(path) == Holder(12, "1.2")


@pytest.mark.parametrize(
    "text",
    [b"", b"12", b"[]", b"{}", b'{"format": 1}', b'{"format": 1, "pid": "12"}', b'{"format": 1, "pid": 0}', b"\xff"],
)
def test_a_lock_file_that_contains_no_pid_names_no_process(text: bytes) -> None:
    assert parse_holder(text) == Holder(None)
    assert str(parse_holder(text)) == "the process that holds its lock"


def test_the_lock_file_of_a_later_format_still_names_its_process() -> None:
    assert parse_holder(b'{"format": 2, "pid": 12, "more": []}') == Holder(12)
