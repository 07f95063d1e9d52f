"""Counts of agents from the events that the daemon recorded."""

from __future__ import annotations

import json
from typing import Any

from tests.conftest import Instance


def events(instance: Instance) -> list[dict[str, Any]]:
    """Return all events."""
    return [json.loads(line) for line in instance.ctl("events", "--since", "0", "--json").splitlines()]


def most_at_once(instance: Instance, names: set[str] | None = None) -> int:
    """Return the most agents, or agents with these names, between their queueing and their end at once."""
    agent_ids = {agent["id"] for agent in instance.status("--all")["agents"] if names is None or agent["name"] in names}
    at_work, most_at_work = set(), 0
    ends = ("agent-completed", "agent-failed", "agent-cancelled", "agent-timed-out", "agent-lost")
    for event in events(instance):
        if event["event"] == "agent-queued" and event["agent"] in agent_ids:
            at_work.add(event["agent"])
        elif event["event"] in ends:
            at_work.discard(event["agent"])
        most_at_work = max(most_at_work, len(at_work))
    return most_at_work


def queued_together(instance: Instance) -> list[int]:
    """Return how many agents each request queued."""
    times: dict[str, int] = {}
    for event in events(instance):
        if event["event"] == "agent-queued":
            times[event["at"]] = times.get(event["at"], 0) + 1
    return list(times.values())
