"""The requests of doctor to the daemon: they share one short timeout, and none is sent after it."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

from orchctl.client import Client
from orchctl.daemon.launcher import is_held
from orchctl.daemon.probe import is_running
from orchctl.errors import ClientError, NoDaemonError
from orchd.instance.home import Home
from orchd.instance.system import locks, sockets
from orchd.protocol.errors import WireError

_PATIENCE = 0.8  # seconds for all requests together; the daemon answers each within milliseconds
_BEGINNING = 0.6  # seconds for a daemon that holds the lock to listen: a start takes half of that


class DaemonState:
    """The daemon of a home, and its answers."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.error: str | None = None  # why it does not answer
        self.holder = locks.holder(home.lock)
        self.is_listening = False
        try:
            self.is_listening = is_running(home)
            if not self.is_listening and self.holder is not None:
                with suppress(NoDaemonError):  # it may be starting, or replace itself
                    self.is_listening = is_held(home, _BEGINNING)
        except ClientError as error:
            self.error = error.message
        self.listener = sockets.listener(home.socket) if self.is_listening else None
        self._until = time.monotonic() + _PATIENCE
        self.answer = self.ask("daemon")

    def ask(self, op: str, args: dict[str, object] | None = None) -> dict[str, Any] | None:
        """Return the reply to a request; None when no daemon listens or it does not answer."""
        if not self.is_listening or self.error is not None:
            return None
        try:
            with Client(self.home, starts=False) as client:
                return client.call(op, args or {}, patience=max(0.1, self._until - time.monotonic()))
        except (ClientError, WireError) as error:
            self.error = str(error)
        return None

    @property
    def pid(self) -> int:
        """Return the pid of the daemon that answers; 0 without an answer."""
        return self.answer["pid"] if self.answer else 0

    @property
    def who(self) -> str:
        """Return the name of the daemon in findings, with its pid as far as it is known without an answer."""
        pid = (self.holder.pid if self.holder else None) or self.listener
        return "a daemon with unknown pid" if pid is None else f"the daemon, pid {pid},"
