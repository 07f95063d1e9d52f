"""inotify as a descriptor that can be polled."""

from __future__ import annotations

import select
from pathlib import Path

import pytest

from orchd.instance.system.inotify import DELETE, MODIFY, ONESHOT, Inotify


def test_each_event_names_its_watch(tmp_path: Path) -> None:
    inotify = Inotify()
    (tmp_path / "a").touch()
    (tmp_path / "a-name-that-takes-more-than-one-word").touch()
    directory = inotify.watch(tmp_path, DELETE)
    file = inotify.watch(tmp_path / "a", MODIFY | ONESHOT)
    assert inotify.events() == []
    assert not select.select([inotify], [], [], 0)[0]
    (tmp_path / "a-name-that-takes-more-than-one-word").unlink()
    (tmp_path / "a").write_text("x")
    assert select.select([inotify], [], [], 5)[0]
    names = inotify.events()
    assert names[0] == directory
    assert file in names
    inotify.unwatch(directory)
    inotify.close()


def test_an_error_for_an_unwatchable_path_names_the_path(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="none"):
        Inotify().watch(tmp_path / "none", MODIFY)
