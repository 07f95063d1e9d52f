"""Which service of systemd a home's daemon is, when it is one: the daemon leaves word, and clients go by it."""

from __future__ import annotations

from typing import NamedTuple

from orchd.instance.home import Home
from orchd.instance.system import atomic_file
from orchd.instance.system.open_file import read_file

SCOPES = ("user", "system")


class Service(NamedTuple):
    """A unit, and whose manager has it."""

    scope: str
    unit: str

    def __str__(self) -> str:
        return f"{self.scope}:{self.unit}"

    def systemctl(self, *words: str) -> list[str]:
        """The command that asks its manager for something."""
        return ["systemctl", *(["--user"] if self.scope == "user" else []), *words, self.unit]

    def says(self, *words: str) -> str:
        """That command as a person types it."""
        return " ".join(self.systemctl(*words)).removesuffix(".service")

    @property
    def log(self) -> str:
        """The command that shows what the daemon has said. Where journals are not kept apart, `--user` finds none."""
        return f"journalctl --{'user-' if self.scope == 'user' else ''}unit {self.unit.removesuffix('.service')}"


def parse(text: str) -> Service:
    """`user:orchd.service`. Raises ValueError."""
    scope, _, unit = text.strip().partition(":")
    if scope not in SCOPES or not unit.endswith(".service") or "/" in unit:
        raise ValueError(f"{text!r} is no service: user:NAME.service or system:NAME.service")
    return Service(scope, unit)


def served_by(home: Home) -> Service | None:
    """The service that the home's last daemon was; None when it was a plain process."""
    try:
        return parse(read_file(home.service).decode())
    except (OSError, ValueError):
        return None


def log_of(home: Home) -> str:
    """Where to look for what the daemon has said: a file, or the command that shows it."""
    service = served_by(home)
    return str(home.log) if service is None else f"`{service.log}`"


def record_service(home: Home, service: Service | None) -> None:
    """Say which service the daemon is that serves the home from now on."""
    if service is None:
        home.service.unlink(missing_ok=True)
        return
    atomic_file.write(home.service, f"{service}\n".encode(), 0o600)
