"""Whether a file is locked."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from orchd.wire.locks import is_locked


def test_a_file_is_locked_as_long_as_somebody_holds_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert not is_locked(path)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert is_locked(path)
    assert not is_locked(path)


def test_a_pipe_in_its_place_holds_nobody_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "lock")
    assert not is_locked(tmp_path / "lock")
