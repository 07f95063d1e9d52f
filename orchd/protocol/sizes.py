"""Bytes and processors as users write them: `512M`, `2G`; `50%`, `150%`."""

from __future__ import annotations

import math

_UNITS = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


def size(text: str | int) -> int:
    """Return the bytes in `text`, units being powers of 1024. Raises ValueError, naming the value and the forms."""
    word = str(text).strip().lower()
    number = word.removesuffix("b").removesuffix("i") if word[-1:] == "b" else word
    unit = _UNITS.get(number[-1:], 1)
    try:
        amount = float(number[:-1] if unit > 1 else number) * unit
    except ValueError:
        amount = math.nan
    if not 0 <= amount < 2**63:
        raise ValueError(f"{text!r} is not a valid size; use bytes or a unit, e.g. 512M, 2G, 1.5G")
    return int(amount)


def share(text: str | float) -> float:
    """Return the processors in `text`: 1.5 for `150%`. Raises ValueError, naming the value and the form."""
    word = str(text).strip()
    try:
        percent = float(word[:-1]) if word.endswith("%") else math.nan
    except ValueError:
        percent = math.nan
    if not 0 < percent < math.inf:
        raise ValueError(f"{text!r} is not a valid CPU limit; use a percentage of one core, e.g. 50% or 150%")
    return percent / 100
