"""Whether a daemon answers."""

from __future__ import annotations

import socket
from pathlib import Path

from orchd.instance.system.sockets import is_listened_to


def test_a_leftover_socket_file_has_no_listener(home_directory: Path) -> None:
    path = home_directory / "socket"
    assert not is_listened_to(path)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        assert not is_listened_to(path)
        server.listen()
        assert is_listened_to(path)
    assert path.exists()
    assert not is_listened_to(path)


def test_a_path_below_a_file_has_no_listener(home_directory: Path) -> None:
    (home_directory / "file").touch()
    assert not is_listened_to(home_directory / "file" / "socket")


def test_a_listener_with_a_full_backlog_is_detected(home_directory: Path) -> None:
    path = home_directory / "socket"
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as first:
        server.bind(str(path))
        server.listen(0)
        first.connect(str(path))
        assert is_listened_to(path)
