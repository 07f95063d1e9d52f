"""Pieces of output."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from orchd.protocol.errors import WireError
from orchd.server.output import piece


def test_a_piece_of_output_has_its_offset(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"0123456789")
    path = str(tmp_path / "log")
    assert piece(path, 0, 4) == (0, b"0123", 10, None)
    assert piece(path, 8, 4) == (8, b"89", 10, None)
    assert piece(path, -3, 100) == (7, b"789", 10, None)
    assert piece(path, -99, 2) == (0, b"01", 10, None)
    assert piece(path, 99, 2) == (99, b"", 10, None)


def test_a_link_or_pipe_instead_of_a_log_is_refused_without_blocking(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("secret")
    (tmp_path / "link").symlink_to(tmp_path / "log")
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "pipe", "none"):
        with pytest.raises(WireError, match="no-log: cannot read the output"):
            piece(str(tmp_path / name), 0, 1)


def test_a_gap_in_the_output_is_reported_and_not_sent(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as file:
        file.write(b"x" * 4096)
        file.truncate(1 << 20)
        file.seek(0, os.SEEK_END)
        file.write(b"tail")
    size, gap = (1 << 20) + 4, (4096, 1 << 20)
    assert piece(str(tmp_path / "log"), 4090, 100) == (4090, b"x" * 6, size, gap)
    assert piece(str(tmp_path / "log"), 5000, 100) == (5000, b"", size, (5000, 1 << 20))
    assert piece(str(tmp_path / "log"), 1 << 20, 100) == (1 << 20, b"tail", size, None)


def test_no_offset_is_too_large(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("four")
    assert piece(str(tmp_path / "log"), 2**63 - 1, 1 << 20)[1:] == (b"", 4, None)
    assert piece(str(tmp_path / "log"), -(2**63), 4)[:2] == (0, b"four")
