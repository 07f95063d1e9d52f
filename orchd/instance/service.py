"""The systemd service of the daemon of a home, if any: the daemon records it, and clients read it."""

from __future__ import annotations

from typing import NamedTuple

from orchd.instance.home import Home
from orchd.instance.system import atomic_file
from orchd.instance.system.open_file import read_file

SCOPES = ("user", "system")


class Service(NamedTuple):
    """A systemd unit and its manager."""

    scope: str
    unit: str

    def __str__(self) -> str:
        return f"{self.scope}:{self.unit}"

    def systemctl(self, *words: str) -> list[str]:
        """Return the command line of systemctl for this unit."""
        return ["systemctl", *(["--user"] if self.scope == "user" else []), *words, self.unit]

    def says(self, *words: str) -> str:
        """Return that command as text."""
        return " ".join(self.systemctl(*words)).removesuffix(".service")

    @property
    def log(self) -> str:
        """Return the command that shows the daemon's log. Without journals per user, `--user` shows none."""
        return f"journalctl --{'user-' if self.scope == 'user' else ''}unit {self.unit.removesuffix('.service')}"


def parse(text: str) -> Service:
    """Parse `user:orchd.service`. Raises ValueError."""
    scope, _, unit = text.strip().partition(":")
    if scope not in SCOPES or not unit.endswith(".service") or "/" in unit:
        raise ValueError(f"{text!r} is not a valid service; use user:NAME.service or system:NAME.service")
    return Service(scope, unit)


def served_by(home: Home) -> Service | None:
    """Return the service of the home's last daemon; None when it was a plain process."""
    try:
        return parse(read_file(home.service).decode())
    except (OSError, ValueError):
        return None


def log_of(home: Home) -> str:
    """Return where the daemon's log is: a file, or the command that shows it."""
    service = served_by(home)
    return str(home.log) if service is None else f"`{service.log}`"


def record_service(home: Home, service: Service | None) -> None:
    """Record the service of the daemon that serves the home from now on."""
    if service is None:
        home.service.unlink(missing_ok=True)
        return
    atomic_file.write(home.service, f"{service}\n".encode(), 0o600)
