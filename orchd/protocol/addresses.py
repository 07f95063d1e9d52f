"""Addresses of other machines' daemons: `tcp://HOST:PORT`, and nothing else."""

from __future__ import annotations

import re
from typing import NamedTuple

_ADDRESS = re.compile(
    r"tcp://(?:\[(?P<six>[0-9a-fA-F:.]+)\]|(?P<host>[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)):(?P<port>\d{1,5})"
)
_PORTS = 65_536
# TCP keep-alive of both sides, in seconds and probes: after a minute and three probes the other machine is gone
KEEPALIVE_IDLE, KEEPALIVE_INTERVAL, KEEPALIVE_PROBES = 60, 20, 3


class Address(NamedTuple):
    """A host and a port."""

    host: str
    port: int
    is_six: bool

    def __str__(self) -> str:
        return f"tcp://[{self.host}]:{self.port}" if self.is_six else f"tcp://{self.host}:{self.port}"


def address(text: str) -> Address | None:
    """Return the address in `text`; None when it is not such an address."""
    match = _ADDRESS.fullmatch(text)
    if match is None or int(match["port"]) >= _PORTS:
        return None
    return Address(match["six"] or match["host"], int(match["port"]), match["six"] is not None)


def can_be_listened_on(text: str) -> bool:
    """Return whether an address is numeric: what a name stands for is decided elsewhere."""
    import ipaddress

    parsed = address(text)
    try:
        return parsed is not None and (ipaddress.ip_address(parsed.host).version == 6) is parsed.is_six  # noqa: PLR2004
    except ValueError:
        return False
