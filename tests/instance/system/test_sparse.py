"""Gaps of files, as the file system reports them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from orchd.instance.system.sparse import Hole, gap_after


def test_a_gap_is_reported_from_before_and_inside_but_not_from_behind(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb+", buffering=0) as file:
        assert gap_after(file.fileno(), 0) is None
        file.write(b"x" * 4096)
        assert (gap_after(file.fileno(), 0), gap_after(file.fileno(), 9999)) == (None, None)
        file.truncate(1 << 20)
        assert gap_after(file.fileno(), 0) == Hole(4096, 1 << 20)
        file.seek(0, os.SEEK_END)
        file.write(b"end")
        assert gap_after(file.fileno(), 0) == Hole(4096, 1 << 20)
        assert gap_after(file.fileno(), 8192) == Hole(8192, 1 << 20)
        assert gap_after(file.fileno(), 1 << 20) is None


def test_a_closed_descriptor_raises_an_error(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path, os.O_RDONLY)
    os.close(descriptor)
    with pytest.raises(OSError, match="Bad file descriptor"):
        gap_after(descriptor, 0)
