"""Events of the daemon as text for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchctl.render.text import clean_line

_FIRST = ("seq", "at", "event", "agent")  # fields with a column of their own


def event_line(event: Mapping[str, Any]) -> str:
    """Return an event on one line: its number, time, name, agent, and its other fields."""
    fields = []
    for key, value in event.items():
        if key in _FIRST or value is None:
            continue
        if isinstance(value, float):
            word = repr(round(value, 6))  # sums of money have many more digits than meaning
        else:
            word = value if isinstance(value, str) and value and " " not in value else repr(value)
        fields.append(f"{key}={word}")
    rest = " ".join(fields)
    row = f"{event['seq']:>6}  {event['at']}  {event['event']:<14}  {event['agent'] or '-'}  {rest}"
    return clean_line(row)
