"""Files of this user alone."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from orchd.instance.key_files import read_private
from orchd.instance.system.private_file import write_private


def test_a_private_file_has_mode_600_and_is_not_overwritten_if_new(tmp_path: Path) -> None:
    path = tmp_path / "key"
    write_private(path, b"one")
    write_private(path, b"two")
    assert read_private(path) == b"two"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(FileExistsError):
        write_private(path, b"three", is_new=True)
    assert read_private(path) == b"two"
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_a_symlink_at_the_target_path_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("precious")
    (tmp_path / "key").symlink_to(tmp_path / "other")
    write_private(tmp_path / "key", b"one")
    assert (tmp_path / "other").read_text() == "precious"
    assert not (tmp_path / "key").is_symlink()
