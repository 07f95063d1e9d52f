"""Files that hold keys."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from orchd.instance.key_files import KeyFileError, read_private, read_secret
from orchd.instance.system.private_file import write_private
from tests.support.machine import needs_root


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o666])
def test_a_key_file_with_access_for_other_users_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "key"
    write_private(path, b"a" * 64)
    path.chmod(mode)
    with pytest.raises(KeyFileError, match=f"other users have access .mode {mode:o}.*chmod 600"):
        read_secret(path)


def test_a_symlink_a_fifo_and_a_directory_are_refused(tmp_path: Path) -> None:
    write_private(tmp_path / "key", b"a" * 64)
    (tmp_path / "link").symlink_to(tmp_path / "key")
    os.mkfifo(tmp_path / "pipe", 0o600)
    (tmp_path / "directory").mkdir(mode=0o700)
    for name, why in (("link", "it is a symbolic link"), ("pipe", "a FIFO is in"), ("directory", "a directory is in")):
        with pytest.raises(KeyFileError, match=why):
            read_private(tmp_path / name)


@needs_root
def test_a_key_file_of_another_user_is_refused(tmp_path: Path) -> None:
    write_private(tmp_path / "key", b"a" * 64)
    os.chown(tmp_path / "key", 12345, 12345)
    with pytest.raises(KeyFileError, match="belongs to uid 12345"):
        read_secret(tmp_path / "key")


@pytest.mark.parametrize("content", [b"", b"a" * 63, b"\xff" * 64, b"x" * 64])
def test_the_error_for_a_file_without_a_key_omits_its_content(tmp_path: Path, content: bytes) -> None:
    write_private(tmp_path / "key", content)
    with pytest.raises(KeyFileError, match="does not contain a key") as refused:
        read_secret(tmp_path / "key")
    assert not content or content.decode("ascii", "replace") not in str(refused.value)
