"""Reads the daemon's events of a time span, of an agent, or the newest of a kind, without reading all events."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from orchctl.client import Client
from orchd.protocol.errors import WireError

_PAGE = 1000


def before(client: Client, stamp: str) -> int:
    """Return the number of an event before which all events are older than `stamp` (ISO 8601); 0 is the beginning.

    Events are in the order of their times unless a clock was set back: a caller that misses an event reads from 0.
    """
    low, high = 0, client.call("events", {"count": 1})["last"]
    while low < high:
        middle = (low + high) // 2
        page = client.call("events", {"since": middle, "count": 1})["events"]
        if page and page[0]["at"] < stamp:
            low = page[0]["seq"]
        else:
            high = middle
    return low


def newest(client: Client, kind: str, until: int) -> dict[str, Any] | None:
    """Return the newest event of this kind up to the number `until`, read backwards; None if none exists any more."""
    while until > 0:
        start = since = max(0, until - _PAGE)
        matches: list[dict[str, Any]] = []
        while since < until:
            page = client.call("events", {"since": since, "count": min(until - since, _PAGE)})["events"]
            if not page:
                break
            matches += [event for event in page if event["seq"] <= until and event["event"] == kind]
            since = page[-1]["seq"]
        if matches:
            return matches[-1]
        until = start
    return None


def between(client: Client, since: int = 0, until: str | None = None) -> Iterator[dict[str, Any]]:
    """Yield the events after the number `since`, oldest first, up to the time `until` (ISO 8601) if it is given."""
    for event in _pages(client, since, {}):
        if until is not None and event["at"] > until:
            return
        yield event


def _pages(client: Client, since: int, only: dict[str, object]) -> Iterator[dict[str, Any]]:
    while True:
        page = client.call("events", {"since": since, "count": _PAGE, **only})
        for event in page["events"]:
            yield event
            since = event["seq"]
        if not page["events"] or since >= page["last"]:
            return


def about(client: Client, agent: str, queued_at: str | None, ended_at: str | None) -> Iterator[dict[str, Any]]:
    """Yield the events of one agent, oldest first.

    A daemon of an earlier version cannot filter by agent: then all events of the agent's time are returned, or all
    events if a clock that was set back hides the agent's beginning.
    """
    try:
        yield from _pages(client, 0, {"agent": agent})
    except WireError as error:
        if error.details.get("unknown") != "agent":
            raise
        of_its_time = list(between(client, before(client, queued_at) if queued_at else 0, ended_at))
        is_whole = any(event["event"] == "agent-queued" and event["agent"] == agent for event in of_its_time)
        yield from of_its_time if is_whole else between(client)
