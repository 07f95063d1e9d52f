"""A file is replaced as a whole, or is as it was."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from orchd.instance.system import atomic_file, private_file


def test_a_reader_of_the_replaced_file_still_reads_the_old_content(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("before")
    with path.open() as reader:
        atomic_file.write(path, b"after")
        assert reader.read() == "before"
    assert path.read_bytes() == b"after"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o755, 0o666])
def test_a_written_file_has_the_requested_mode_despite_the_umask(tmp_path: Path, mode: int) -> None:
    before = os.umask(0o077)
    try:
        atomic_file.write(tmp_path / "file", b"", mode)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == mode


def test_a_file_written_without_a_mode_gets_the_mode_of_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        atomic_file.write(tmp_path / "file", b"")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640


def test_a_symlink_at_the_draft_path_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("kept")
    (tmp_path / ".file.new").symlink_to("precious")
    atomic_file.write(tmp_path / "file", b"content")
    assert (tmp_path / "precious").read_text() == "kept"
    assert not (tmp_path / "file").is_symlink()


def test_a_failed_write_keeps_the_old_file_and_leaves_no_draft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("kept")

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="full"):
        atomic_file.write(tmp_path / "file", b"content")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"file": "kept"}


@pytest.mark.parametrize("write", [atomic_file.write, private_file.write_private])
def test_a_fifo_is_not_replaced_by_a_write(tmp_path: Path, write: Callable[[Path, bytes], None]) -> None:
    """As root this replaced /dev/null for every program of the machine."""
    os.mkfifo(path := tmp_path / "device")
    with pytest.raises(OSError, match="a FIFO is in the place of the file"):
        write(path, b"content")
    assert path.is_fifo()
    link = tmp_path / "link"
    link.symlink_to(path)
    write(link, b"content")
    assert (path.is_fifo(), link.read_bytes()) == (True, b"content")


def test_a_link_replaces_the_previous_file(tmp_path: Path) -> None:
    (tmp_path / "latest").write_text("before")
    (tmp_path / ".latest.new").symlink_to("elsewhere")
    atomic_file.link(tmp_path / "latest", "file")
    assert (tmp_path / "latest").readlink() == Path("file")
    assert [path.name for path in tmp_path.iterdir()] == ["latest"]
