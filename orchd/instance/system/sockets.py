"""Tests whether a daemon listens on a socket: its file proves nothing, as a killed daemon leaves it behind."""

from __future__ import annotations

import os
from pathlib import Path


def is_listened_to(path: Path) -> bool:
    """Return whether a process listens. Raises PermissionError when access to the socket is denied."""
    import socket
    import struct

    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        # the kernel blocks while the backlog is full, which is a sign of life and must not last for ever
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 1, 0))
        try:
            probe.connect(os.fsencode(path))
        except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError):
            return False
        except BlockingIOError:
            return True
    return True


def listener(path: Path) -> int | None:
    """Return the pid of the listener by SO_PEERCRED; None when no process listens, or its pid is not visible."""
    import socket
    import struct

    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 1, 0))
        try:
            probe.connect(os.fsencode(path))
            credentials = probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        except OSError:
            return None
    pid: int = struct.unpack("3i", credentials)[0]
    return pid or None
