"""Moments as people write them: an age like `2h`, or an ISO 8601 time."""

from __future__ import annotations

from contextlib import suppress

from orchd.protocol.durations import duration


def unix(text: str, now: float) -> float:
    """Return the Unix time of `text`; a time without a zone is local. Raises ValueError, which shows both forms."""
    with suppress(ValueError):
        return now - duration(text)
    from datetime import datetime

    try:
        return datetime.fromisoformat(text.strip()).timestamp()
    except (ValueError, OverflowError, OSError):
        raise ValueError(
            f"{text!r} is not a time: write an age, as in 90s, 15m, 2h, 1d, or an ISO time, as in 2026-11-30T10:00"
        ) from None
