"""Values in JSON that somebody else made: what is not what it should be is as if it were not there."""

from __future__ import annotations

import json
import math
import re
from typing import Any

_MOST = 10**12  # of anything that is counted here
_INDEX = re.compile(r"-?[0-9]{1,9}")


def parsed(text: bytes) -> Any:
    """What a line says in JSON; None when it says nothing."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def at(value: Any, *path: str | int) -> Any:
    """What is there, through keys of objects and indices of lists; None when nothing is."""
    for step in path:
        if isinstance(step, str) and isinstance(value, dict):
            value = value.get(step)
        elif isinstance(step, int) and isinstance(value, list) and -len(value) <= step < len(value):
            value = value[step]
        else:
            return None
    return value


def placed(value: Any, place: str | None) -> Any:
    """What is at a place written as `a.0.b`; None without a place."""
    if place is None:
        return None
    for step in place.split("."):
        value = at(value, int(step) if isinstance(value, list) and _INDEX.fullmatch(step) else step)
    return value


def text(value: Any, *path: str | int) -> str:
    """A text; empty when there is none."""
    found = at(value, *path)
    return found if isinstance(found, str) else ""


def items(value: Any, *path: str | int) -> list[Any]:
    """A list; empty when there is none."""
    found = at(value, *path)
    return found if isinstance(found, list) else []


def count(value: Any, *path: str | int) -> int:
    """A number of things; 0 when there is none."""
    found = amount(value, *path)
    return int(found or 0)


def amount(value: Any, *path: str | int) -> float | None:
    """A number that is not negative and not absurd."""
    found = at(value, *path)
    if isinstance(found, bool) or not isinstance(found, (int, float)) or not 0 <= found <= _MOST:
        return None
    return float(found) if math.isfinite(found) else None
