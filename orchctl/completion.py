"""What a shell may put where an agent is to be named: the ids there are, with their names."""

from __future__ import annotations

from orchctl.errors import NoDaemonError
from orchd.wire import HomeError, WireError


def agents(incomplete: str) -> list[tuple[str, str]]:
    """Ids that begin so; none when no daemon runs, and none is started for it."""
    from orchctl.client import Client

    try:
        with Client(starts=False) as client:
            found = client.call("status", {"usage": False})["agents"]
    except (NoDaemonError, WireError, HomeError, OSError):  # a shell has nowhere to show an error
        return []
    return [
        (agent["id"], f"{agent['name']}, {agent['status']}") for agent in found if agent["id"].startswith(incomplete)
    ]
