"""The test whether the daemon of this machine runs."""

from __future__ import annotations

from orchctl.errors import NoDaemonError
from orchd.instance.home import Home
from orchd.instance.system import sockets


def is_running(home: Home) -> bool:
    """Whether a daemon listens on the socket: a stale file refuses the connection. Raises NoDaemonError."""
    try:
        return sockets.is_listened_to(home.socket)
    except PermissionError as error:
        raise NoDaemonError(
            f"cannot connect to {home.socket}: {error.strerror}; does it belong to another user?"
        ) from None
