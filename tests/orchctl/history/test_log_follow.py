"""Logs as files."""

from __future__ import annotations

import ctypes
import io
import os
import select
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchctl.history import log_follow
from orchctl.history.log_follow import FileChanges, FollowedLog


def last(path: Path, lines: int | None) -> bytes:
    """Return the output that shows the last `lines`."""
    log, sink = FollowedLog(path, lines), io.BytesIO()
    log.copy(sink)
    log.close()
    return sink.getvalue()


def gapped(path: Path, head: bytes, gap: int, tail: bytes) -> None:
    """Write a log with a hole between `head`, up to the end of its block, and `tail`."""
    with path.open("wb") as file:
        file.write(head.ljust(-len(head) // 4096 * -4096, b"\0"))
        file.truncate(gap)
        file.seek(0, os.SEEK_END)
        file.write(tail)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("logs") / "log"


@settings(max_examples=300)
@given(
    pieces=st.lists(st.sampled_from([b"\n", b"a", b"\xff\x00", b"x" * 7, b"\n\n"]), max_size=40),
    lines=st.integers(0, 20),
    block=st.integers(1, 16),
)
def test_the_last_lines_are_read_for_any_block_size(scratch: Path, pieces: list[bytes], lines: int, block: int) -> None:
    text = b"".join(pieces)
    scratch.write_bytes(text)
    expected = b"".join(text.splitlines(keepends=True)[-lines:] if lines else [])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log_follow, "_BLOCK", block)
        assert last(scratch, lines) == expected


def test_the_whole_file_is_shown_byte_for_byte(tmp_path: Path) -> None:
    text = bytes(range(256)) * 1000
    (tmp_path / "log").write_bytes(text)
    assert last(tmp_path / "log", None) == text


def test_a_hole_in_a_log_is_shown_as_a_message_not_as_zeros(tmp_path: Path) -> None:
    path = tmp_path / "log"
    gapped(path, b"head " * 1000, 1 << 20, b"il\none\ntwo\n")
    message = f"[orchd: {(1 << 20) - 8192:,} bytes omitted here]\n".encode()
    head = (b"head " * 1000).ljust(8192, b"\0")
    assert last(path, None) == head + b"\n" + message + b"il\none\ntwo\n"
    assert last(path, 2) == b"one\ntwo\n"
    assert last(path, 9) == last(path, None)
    gapped(path, b"a\nb\n" + b"c" * 8187 + b"\n", 1 << 20, b"one\n")
    assert last(path, 2) == b"c" * 8187 + b"\n" + message + b"one\n"
    gapped(path, b"x" * 8192, 1 << 20, b"")
    assert last(path, None) == b"x" * 8192 + b"\n" + message


def test_a_hole_punched_during_reading_is_not_read_as_zeros(tmp_path: Path) -> None:
    path, sink = tmp_path / "log", io.BytesIO()
    path.write_bytes(b"a\n" * 100_000)
    log = FollowedLog(path)
    libc = ctypes.CDLL(None)
    libc.fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
    with path.open("r+b") as file:
        assert libc.fallocate(file.fileno(), 3, 4096, 98_304) == 0
    log.copy(sink)
    log.close()
    assert b"\0" not in sink.getvalue()
    assert sink.getvalue().count(b"a\n") == 100_000 - 98_304 // 2


def test_only_the_end_of_a_large_file_is_read(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as file:
        file.truncate(500 << 20)
        file.seek(0, os.SEEK_END)
        file.write(b"\none\ntwo\n")
    with Path("/proc/self/io").open() as counts:
        before = int(counts.readline().split()[1])
        assert last(tmp_path / "log", 2) == b"one\ntwo\n"
        counts.seek(0)
        assert int(counts.readline().split()[1]) - before < 1 << 20


def test_growth_wakes_the_watcher_and_is_copied_once(tmp_path: Path) -> None:
    path, sink, changes = tmp_path / "log", io.BytesIO(), FileChanges()
    path.write_bytes(b"old\n")
    log = FollowedLog(path, 0)
    changes.watch(path)
    changes.drain()
    assert not select.select([changes.fd], [], [], 0)[0]
    with path.open("ab") as file:
        file.write(b"new\n")
    assert select.select([changes.fd], [], [], 10)[0]
    changes.drain()
    assert not select.select([changes.fd], [], [], 0)[0]
    log.copy(sink)
    log.copy(sink)
    assert sink.getvalue() == b"new\n"
    log.close()
    changes.close()


@pytest.mark.parametrize(("before", "end"), [(b"old\n", b""), (b"old", b"\n")])
def test_a_truncated_file_is_followed_from_its_beginning(tmp_path: Path, before: bytes, end: bytes) -> None:
    path, sink = tmp_path / "log", io.BytesIO()
    path.write_bytes(before * 9)
    log = FollowedLog(path, None)
    log.copy(sink)
    os.truncate(path, 0)
    log.copy(sink)
    with path.open("ab") as file:
        file.write(b"new\n")
    log.copy(sink)
    log.copy(sink)
    log.close()
    assert sink.getvalue() == before * 9 + end + log_follow.SHORTENED + b"new\n"


def test_a_file_that_cannot_be_watched_is_an_error(tmp_path: Path) -> None:
    changes = FileChanges()
    with pytest.raises(FileNotFoundError, match="No such file"):
        changes.watch(tmp_path / "gone")
    changes.close()
