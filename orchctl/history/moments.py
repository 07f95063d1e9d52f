"""Moments as people write them: an age like `2h`, or an ISO 8601 time."""

from __future__ import annotations

from orchd.protocol.durations import duration


def unix(text: str, now: float) -> float:
    """The Unix time of `text`; a time without a zone is local time. Raises ValueError, which shows both forms."""
    try:
        return now - duration(text)
    except ValueError:
        return _absolute(text)


def _absolute(text: str) -> float:
    from datetime import datetime

    try:
        return datetime.fromisoformat(text.strip()).timestamp()
    except (ValueError, OverflowError, OSError):
        raise ValueError(
            f"{text!r} is not a time: write an age, as in 90s, 15m, 2h, 1d, or an ISO time, as in 2026-11-30T10:00"
        ) from None
