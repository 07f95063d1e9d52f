"""Reading values from foreign JSON: a value of the wrong type counts as missing."""

from __future__ import annotations

import json
import math
import re
from typing import Any

_MOST = 10**12  # the largest number that is believed
_INDEX = re.compile(r"-?[0-9]{1,9}")


def parsed(text: bytes) -> Any:
    """Return the JSON value of a line; None when it is not JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def at(value: Any, *path: str | int) -> Any:
    """Return the value at a path of keys and indices; None when there is none."""
    for step in path:
        if isinstance(step, str) and isinstance(value, dict):
            value = value.get(step)
        elif isinstance(step, int) and isinstance(value, list) and -len(value) <= step < len(value):
            value = value[step]
        else:
            return None
    return value


def placed(value: Any, place: str | None) -> Any:
    """Return the value at a path written as `a.0.b`; None without a path or a value."""
    if place is None:
        return None
    for step in place.split("."):
        value = at(value, int(step) if isinstance(value, list) and _INDEX.fullmatch(step) else step)
    return value


def text(value: Any, *path: str | int) -> str:
    """Return a text; empty when there is none."""
    entry = at(value, *path)
    return entry if isinstance(entry, str) else ""


def items(value: Any, *path: str | int) -> list[Any]:
    """Return a list; empty when there is none."""
    entry = at(value, *path)
    return entry if isinstance(entry, list) else []


def count(value: Any, *path: str | int) -> int:
    """Return a count; 0 when there is none."""
    return int(amount(value, *path) or 0)


def amount(value: Any, *path: str | int) -> float | None:
    """Return a number from 0 to 10**12; None when there is none."""
    number = at(value, *path)
    if isinstance(number, bool) or not isinstance(number, (int, float)) or not 0 <= number <= _MOST:
        return None
    return float(number) if math.isfinite(number) else None
