"""Peers as the ports make them: a process, identified while it is held."""

from __future__ import annotations

import os

from orchd.network.callers import Callers
from orchd.network.peers import Credentials, Peer


def peer_of(callers: Callers, pid: int, uid: int | None = None, route: bytes = b"c") -> Peer:
    """A connection of this process, accepted now."""
    try:
        pidfd = os.pidfd_open(pid)
    except OSError:
        pidfd = None
    credentials = Credentials(os.getuid() if uid is None else uid, pid, pidfd)
    identity = callers.identify(credentials)
    credentials.close()
    return Peer((route,), credentials.uid, pid, None, identity)
