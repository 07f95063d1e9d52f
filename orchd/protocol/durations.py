"""Durations as users write them: `90`, `90s`, `15m`, `2h`, `1d`."""

from __future__ import annotations

import math

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def duration(text: str | float) -> float:
    """Return the seconds in `text`. Raises ValueError, naming the value and the valid forms."""
    try:
        if isinstance(text, str):
            text = text.strip()
            unit = _UNITS.get(text[-1:], 0.0)
            seconds = float(text[:-1]) * unit if unit else float(text)
        else:
            seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not math.isfinite(seconds) or seconds < 0:
        raise ValueError(f"{text!r} is not a valid duration; use seconds or a unit, e.g. 90, 90s, 15m, 2h")
    return seconds
