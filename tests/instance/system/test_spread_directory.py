"""A directory for many files: private, made once, and in an area of its own where the file system has areas."""

from __future__ import annotations

import fcntl
import os
import stat
import struct
import tempfile
from pathlib import Path
from typing import Any

import pytest

from orchd.instance.system import spread_directory
from orchd.instance.system.spread_directory import make_directory


def test_a_directory_is_private_and_nothing_else_is_left(tmp_path: Path) -> None:
    make_directory(tmp_path / "agents")
    assert [path.name for path in tmp_path.iterdir()] == ["agents"]
    assert stat.S_IMODE((tmp_path / "agents").stat().st_mode) == 0o700
    assert not list((tmp_path / "agents").iterdir())


def test_an_existing_directory_keeps_its_files(tmp_path: Path) -> None:
    make_directory(tmp_path / "agents")
    (tmp_path / "agents/file").touch()
    before = (tmp_path / "agents").stat().st_ino
    make_directory(tmp_path / "agents")
    assert (tmp_path / "agents").stat().st_ino == before
    assert (tmp_path / "agents/file").exists()


def test_a_directory_that_another_process_made_meanwhile_keeps_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = tempfile.mkdtemp

    def mkdtemp(**kwargs: Any) -> str:
        (tmp_path / "agents").mkdir(exist_ok=True)
        (tmp_path / "agents/file").touch()
        return str(real(**kwargs))

    monkeypatch.setattr(tempfile, "mkdtemp", mkdtemp)
    make_directory(tmp_path / "agents")
    assert [path.name for path in tmp_path.iterdir()] == ["agents"]
    assert (tmp_path / "agents/file").exists()


def test_what_is_no_directory_is_an_error_that_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "agents").symlink_to(tmp_path / "nowhere")
    with pytest.raises(OSError, match="agents"):
        make_directory(tmp_path / "agents")
    assert [path.name for path in tmp_path.iterdir()] == ["agents"]
    assert (tmp_path / "agents").is_symlink()


def test_the_parent_gets_the_attribute_for_spreading_where_the_file_system_has_it(tmp_path: Path) -> None:
    def flags() -> int:
        descriptor = os.open(tmp_path, os.O_RDONLY)
        try:
            packed = fcntl.ioctl(descriptor, spread_directory._GET_FLAGS, struct.pack("i", 0))
            fcntl.ioctl(descriptor, spread_directory._SET_FLAGS, packed)
        finally:
            os.close(descriptor)
        return int(struct.unpack("i", packed)[0])

    try:
        before = flags()
    except OSError as error:
        pytest.skip(f"this file system has no such attribute: {error}")
    make_directory(tmp_path / "agents")
    assert flags() == before | 0x20000
