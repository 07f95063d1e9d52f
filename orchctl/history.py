"""The facts of a stretch of time, found without reading all that happened before it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from orchctl.client import Client

_PAGE = 1000


def before(client: Client, stamp: str) -> int:
    """The number of a fact before which all facts are older than `stamp` (ISO 8601); 0 is the beginning.

    Facts are in the order of their times, but for a clock that was set back: whoever misses something asks from 0.
    """
    low, high = 0, client.call("events", {"count": 1})["last"]
    while low < high:
        middle = (low + high) // 2
        found = client.call("events", {"since": middle, "count": 1})["events"]
        if found and found[0]["at"] < stamp:
            low = found[0]["seq"]
        else:
            high = middle
    return low


def facts(client: Client, since: int = 0, until: str | None = None) -> Iterator[dict[str, Any]]:
    """The facts after the number `since`, oldest first, to the last one that is not later than `until`."""
    while True:
        page = client.call("events", {"since": since, "count": _PAGE})
        for fact in page["events"]:
            if until is not None and fact["at"] > until:
                return
            yield fact
            since = fact["seq"]
        if not page["events"] or since >= page["last"]:
            return
