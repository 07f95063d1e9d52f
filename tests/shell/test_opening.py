"""Files in whose place somebody may have put something else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from orchd.opening import open_file


def test_a_file_is_opened_and_made_for_this_user_alone(tmp_path: Path) -> None:
    path = tmp_path / "file"
    os.close(open_file(path, os.O_WRONLY | os.O_CREAT))
    assert path.stat().st_mode & 0o777 == 0o600
    descriptor = open_file(str(path), os.O_RDONLY)
    assert not os.get_inheritable(descriptor)
    os.close(descriptor)


def test_what_is_no_file_is_refused_at_once_and_holds_no_descriptor(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    os.mkfifo(tmp_path / "pipe")
    before = len(os.listdir("/proc/self/fd"))
    for name, said in (("link", "symbolic links"), ("pipe", "it is no file any more"), (".", "it is no file any more")):
        with pytest.raises(OSError, match=said):
            open_file(tmp_path / name, os.O_RDONLY)
    with pytest.raises(OSError, match="No such device"):
        open_file(tmp_path / "pipe", os.O_WRONLY)
    assert len(os.listdir("/proc/self/fd")) == before
