"""How many agents there were, counted from what the daemon wrote down."""

from __future__ import annotations

import json
from typing import Any

from tests.conftest import Instance


def events(instance: Instance) -> list[dict[str, Any]]:
    """All that happened."""
    return [json.loads(line) for line in instance.ctl("events", "--since", "0", "--json").splitlines()]


def most_at_once(instance: Instance, names: set[str] | None = None) -> int:
    """How many agents, or of those with these names, there were at once, from their queueing to their end."""
    known = {one["id"] for one in instance.status("--all")["agents"] if names is None or one["name"] in names}
    going, most = set(), 0
    over = ("agent-completed", "agent-failed", "agent-cancelled", "agent-timed-out", "agent-lost")
    for event in events(instance):
        if event["event"] == "agent-queued" and event["agent"] in known:
            going.add(event["agent"])
        elif event["event"] in over:
            going.discard(event["agent"])
        most = max(most, len(going))
    return most


def queued_together(instance: Instance) -> list[int]:
    """How many agents each request made."""
    times: dict[str, int] = {}
    for event in events(instance):
        if event["event"] == "agent-queued":
            times[event["at"]] = times.get(event["at"], 0) + 1
    return list(times.values())
