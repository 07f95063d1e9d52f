"""Files in whose place an agent has put something else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from orchd.instance.system.open_file import append_file, inside, open_file, read_as_text, read_file


def descriptors() -> int:
    """The number of open descriptors of this process."""
    return len(os.listdir("/proc/self/fd"))


def test_a_file_is_opened_and_made_for_this_user_alone(tmp_path: Path) -> None:
    path = tmp_path / "file"
    os.close(open_file(path, os.O_WRONLY | os.O_CREAT))
    assert path.stat().st_mode & 0o777 == 0o600
    descriptor = open_file(str(path), os.O_RDONLY)
    assert not os.get_inheritable(descriptor)
    os.close(descriptor)


@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_WRONLY | os.O_CREAT | os.O_APPEND, os.O_RDWR])
def test_what_is_not_a_file_is_refused_at_once_and_holds_no_descriptor(tmp_path: Path, flags: int) -> None:
    (tmp_path / "target").touch()
    (tmp_path / "link").symlink_to(tmp_path / "target")
    (tmp_path / "loose").symlink_to(tmp_path / "elsewhere")
    os.mkfifo(tmp_path / "pipe")
    before = descriptors()
    for name, kind in (("link", "symbolic link"), ("loose", "symbolic link"), ("pipe", "FIFO"), (".", "directory")):
        with pytest.raises(OSError, match=f"a {kind} is in the place of the file; remove it"):
            open_file(tmp_path / name, flags)
    with pytest.raises(OSError, match="a device is in the place of the file; give another path"):
        open_file("/dev/null", flags)
    assert descriptors() == before
    assert not (tmp_path / "elsewhere").exists()


def test_a_file_that_a_person_may_keep_elsewhere_is_followed_and_nothing_else_is(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    assert read_file(tmp_path / "link", follow=True) == b"x"
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link2").symlink_to(tmp_path / "pipe")
    with pytest.raises(OSError, match="a FIFO is in the place"):
        read_file(tmp_path / "link2", follow=True)


def test_what_is_longer_than_its_reader_accepts_is_an_error_and_not_cut(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 11)
    assert len(read_file(tmp_path / "file", 11)) == 11
    with pytest.raises(OSError, match="larger than 10 bytes"):
        read_file(tmp_path / "file", 10)


def test_a_text_has_the_ends_of_lines_that_it_would_have_if_it_were_opened_as_text(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"a\r\nb\rc\n\xff")
    assert read_as_text(tmp_path / "file") == "a\nb\nc\n\ufffd"


def test_a_file_grows_by_what_is_appended_and_a_link_does_not_lead_elsewhere(tmp_path: Path) -> None:
    append_file(tmp_path / "file", b"a")
    append_file(tmp_path / "file", b"b")
    assert (tmp_path / "file").read_bytes() == b"ab"
    (tmp_path / "link").symlink_to(tmp_path / "file")
    with pytest.raises(OSError, match="symbolic link"):
        append_file(tmp_path / "link", b"c")
    assert (tmp_path / "file").read_bytes() == b"ab"


def test_a_directory_is_entered_level_by_level_and_no_link_leads_out_of_it(tmp_path: Path) -> None:
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
