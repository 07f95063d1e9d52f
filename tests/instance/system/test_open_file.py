"""Files in whose place an agent has put something else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from orchd.instance.system.open_file import append_file, inside, open_file, read_as_text, read_file


def descriptors() -> int:
    """The number of open descriptors of this process."""
    return len(os.listdir("/proc/self/fd"))


def test_a_created_file_is_private_and_its_descriptor_is_not_inheritable(tmp_path: Path) -> None:
    path = tmp_path / "file"
    os.close(open_file(path, os.O_WRONLY | os.O_CREAT))
    assert path.stat().st_mode & 0o777 == 0o600
    descriptor = open_file(str(path), os.O_RDONLY)
    assert not os.get_inheritable(descriptor)
    os.close(descriptor)


@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_WRONLY | os.O_CREAT | os.O_APPEND, os.O_RDWR])
def test_opening_a_nonregular_file_fails_and_leaks_no_descriptor(tmp_path: Path, flags: int) -> None:
    (tmp_path / "target").touch()
    (tmp_path / "link").symlink_to(tmp_path / "target")
    (tmp_path / "loose").symlink_to(tmp_path / "elsewhere")
    os.mkfifo(tmp_path / "pipe")
    before = descriptors()
    for name, kind in (("link", "symbolic link"), ("loose", "symbolic link"), ("pipe", "FIFO"), (".", "directory")):
        with pytest.raises(OSError, match=f"a {kind} is in the place of the file; move it away, or give"):
            open_file(tmp_path / name, flags)
    with pytest.raises(OSError, match="a device is in the place of the file; give another path"):
        open_file("/dev/null", flags)
    assert descriptors() == before
    assert not (tmp_path / "elsewhere").exists()


def test_a_followed_symlink_may_lead_to_a_regular_file_only(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    assert read_file(tmp_path / "link", follow=True) == b"x"
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link2").symlink_to(tmp_path / "pipe")
    with pytest.raises(OSError, match="a FIFO is in the place"):
        read_file(tmp_path / "link2", follow=True)


def test_reading_a_file_above_the_size_limit_fails(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 11)
    assert len(read_file(tmp_path / "file", 11)) == 11
    with pytest.raises(OSError, match="larger than 10 bytes"):
        read_file(tmp_path / "file", 10)


def test_text_is_read_with_universal_newlines_and_replacement_characters(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"a\r\nb\rc\n\xff")
    assert read_as_text(tmp_path / "file") == "a\nb\nc\n\ufffd"


def test_an_append_extends_a_file_and_refuses_a_symlink(tmp_path: Path) -> None:
    append_file(tmp_path / "file", b"a")
    append_file(tmp_path / "file", b"b")
    assert (tmp_path / "file").read_bytes() == b"ab"
    (tmp_path / "link").symlink_to(tmp_path / "file")
    with pytest.raises(OSError, match="symbolic link"):
        append_file(tmp_path / "link", b"c")
    assert (tmp_path / "file").read_bytes() == b"ab"


def test_a_directory_is_entered_level_by_level_without_following_symlinks(tmp_path: Path) -> None:
    before = descriptors()
    project = tmp_path / "project"
    project.mkdir()
    with pytest.raises(FileNotFoundError), inside(project, "a", "b"):
        pass
    with inside(project, "a", "b", create=True) as directory:
        (project / "a").rename(project / "moved")  # the path stays valid
        (directory / "file").touch()
    assert (project / "moved/b/file").exists()
    (tmp_path / "elsewhere").mkdir()
    (project / "a").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="Not a directory|symbolic links"), inside(project, "a", "b", create=True):
        pass
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert descriptors() == before
