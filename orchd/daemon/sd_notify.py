"""Messages to the service manager (sd_notify(3)): ready, reloading, stopping, status, watchdog."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import MutableMapping

log = logging.getLogger("orchd")

PAUSE = 1.0  # seconds between two lines of status: a person reads them
_MINE = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")


class Notifier:
    """Sends states to the service manager; does nothing without one."""

    def __init__(self, address: str | None = None, period: float | None = None) -> None:
        self._address = address
        self._period = period if address else None  # seconds between two signs of life
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) if address else None
        if self._socket is not None:
            self._socket.settimeout(0)  # a manager that does not listen must not hold us up
        self._has_failed = False
        self.environment: dict[str, str] = {}  # what another daemon in the place of this one needs to notify as well
        self._sent = self._wanted = ""
        self._rest_until = 0.0
        self._sign_due = 0.0

    @classmethod
    def from_environment(cls, environ: MutableMapping[str, str], pid: int) -> Notifier:
        """Return a notifier by the service manager's variables, and remove them: they are for this process alone."""
        taken = {name: value for name in _MINE if (value := environ.pop(name, None)) is not None}
        address, usec, whose = (taken.get(name) for name in _MINE)
        is_watched = usec is not None and usec.isdigit() and int(usec) > 0 and whose in (None, str(pid))
        notifier = cls(address or None, int(usec or 0) / 2_000_000 if is_watched else None)
        notifier.environment = taken
        return notifier

    @property
    def is_wanted(self) -> bool:
        """Return whether a service manager listens."""
        return self._socket is not None

    def ready(self) -> None:
        """Report that requests are answered, from now on or again after `reloading`."""
        self._send("READY=1")

    def reloading(self) -> None:
        """Report a reload of the configuration; `ready` reports its end."""
        self._send("RELOADING=1")

    def stopping(self) -> None:
        """Report the shutdown; nothing is sent after it."""
        self._period = None
        self._send("STOPPING=1")

    def failed(self, why: str) -> None:
        """Report why the daemon fails: the manager shows it while the unit is failed."""
        self._send(f"STATUS={' '.join(why.split())}")

    def close(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            self._socket.close()

    def status(self, text: str, now: float) -> None:
        """Set the status text; texts in quick succession are not all sent."""
        self._wanted = text
        if self._wanted != self._sent and now >= self._rest_until:
            self._sent = self._wanted
            self._rest_until = now + PAUSE
            self._send(f"STATUS={self._sent}")

    def live(self, now: float) -> None:
        """Send the watchdog signal when it is due. Only the loop may call it: what blocks the loop must block this."""
        if self._period is not None and now >= self._sign_due:
            self._sign_due = now + self._period
            self._send("WATCHDOG=1")

    def next_deadline(self) -> float | None:
        """Return when something is to be sent; None for an idle daemon without a watchdog."""
        due = []
        if self._period is not None:
            due.append(self._sign_due)
        if self._wanted != self._sent:
            due.append(self._rest_until)
        return min(due, default=None)

    def _send(self, line: str) -> None:
        if self._socket is None or self._address is None:
            return
        path = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        try:
            self._socket.sendto(os.fsencode(f"{line}\n"), os.fsencode(path))
        except OSError as error:
            if not self._has_failed:
                log.warning("cannot notify the service manager: %s", error)
            self._has_failed = True
