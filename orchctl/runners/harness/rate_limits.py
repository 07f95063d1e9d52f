"""Recognizing rate limits in messages, and the time for the next attempt."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

from orchctl.runners.harness.json_access import at, parsed

if TYPE_CHECKING:
    from datetime import tzinfo

SOON = 60.0  # seconds, when the message has no time
_LATEST = 8 * 86400.0  # seconds: what is later than the longest window of any plan was misread
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
# Messages of a service or its CLI on a limit begin so. The same words in the middle of a text mean something else: a
# test that fails may be called `test_rate_limit` and expect a 429.
_LIMITED = re.compile(
    r"(?:(?:api |http )?error\b[\s:]*|[a-z_.]*\bRateLimitError\b[\s:]*|stream disconnected before completion[\s:]+"
    r"|exceeded retry limit, last |unexpected |request failed with |\()*"
    r"(?:rate_limit_(?:error|exceeded)\b|rate.?limit (?:exceeded|reached|hit|error)\b|too many requests"
    r"|you(?:\W?ve| have) (?:hit|reached|exceeded) your (?:[\w-]+ ){0,3}limit"
    r"|(?:[\w-]+ ){0,2}usage limit (?:reached|exceeded|has been)|this request would exceed your [\w' -]{0,80}rate limit"
    r"|(?:http |code:? |status:? |status code:? )429\b|429(?:$|\)|:| -| too many| \{))",
    re.IGNORECASE,
)
_STATUS = re.compile(r"(?:(?:api |http )?error\b\W*)?(?:\d{3}\b[ :]*)?(?=\{)", re.IGNORECASE)
_CODES = frozenset({"429", "rate_limit_error", "rate_limit_exceeded", "usage_limit_reached", "too_many_requests"})
_NAMES = ("type", "code", "status", "status_code", "statusCode", "http_status", "api_error_status")
_WAIT = re.compile(
    r"(?:(?:again|retry(?:ing)?|reset\w*|wait)[ -](?:in|after|for)|wait|retry_after)\b[\"']?[:=]? ?"
    r"((?:[0-9.]+ ?[a-z]+(?:,? and |[, ])*)+)",
    re.IGNORECASE,
)
_PART = re.compile(
    r"([0-9]+(?:\.[0-9]+)?) ?(?:(m(?:s\b|illisec\w*))|(s|m|h|d|w)(?:ec\w*|in\w*|r|rs|our\w*|ay\w*|eek\w*)?(?![a-z]))",
    re.IGNORECASE,
)
# The header of HTTP and its copies in JSON: a number of seconds without a unit.
_SECONDS = re.compile(
    r"retry[-_ ]?after(?:[-_ ]?seconds)?\b[\"']?[:=]? ?[\"']?([0-9]+(?:\.[0-9]+)?)(?![0-9.]| ?[a-z])", re.IGNORECASE
)
_CLOCK = re.compile(
    r"(?:again at|resets?(?: at)?) (?:([a-z]{3})[a-z]* (\d{1,2})(?:st|nd|rd|th)?,? (?:(\d{4}),? )?(?:at )?)?"
    r"(\d{1,2})(?::(\d\d))? ?([ap])m(?: \(([\w/+-]+)\))?",
    re.IGNORECASE,
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def now() -> float:
    """Return the Unix time."""
    return time.clock_gettime(time.CLOCK_REALTIME)


def is_limit(text: str) -> bool:
    """Whether a message is of a rate limit: by its first words, or by an error in JSON after them."""
    text = text.strip()
    if _LIMITED.match(text) is not None:
        return True
    begin = _STATUS.match(text)
    return has_code(parsed(text[begin.end() :].encode())) if begin else False


def has_code(error: Any) -> bool:
    """Whether an error in JSON has the code of a rate limit, in its own place or below `error`."""
    for place in ((), ("error",)):
        for name in _NAMES:
            if (code := at(error, *place, name)) is not None and str(code).lower() in _CODES:
                return True
    return False


def retry_at(text: str, reset: float | None, at: float) -> float:
    """Return when to try again (Unix time): at `reset` if known, else the time in `text`, else a minute after `at`."""
    for when in (reset, _after_delay(text, at), _at_clock_time(text, at)):
        if when is not None and at < when <= at + _LATEST:
            return when
    return at + SOON


def _after_delay(text: str, at: float) -> float | None:
    """Return the time of `again in 1m30.5s`, `Retry after 3 seconds`, `again in 3 days 4 hours`, `Retry-After: 20`."""
    if (match := _WAIT.search(text)) is not None and (parts := _PART.findall(match[1])):
        return at + sum(
            float(number) * _UNITS["ms" if thousandths else unit.lower()] for number, thousandths, unit in parts
        )
    seconds = _SECONDS.search(text)
    return at + float(seconds[1]) if seconds is not None else None


def _at_clock_time(text: str, at: float) -> float | None:
    """Return the time of `again at 5:09 PM`, `again at Nov 24th, 2026 4:16 PM`, `resets 4:22pm (UTC)`; else local."""
    if (match := _CLOCK.search(text)) is None:
        return None
    month, day, year, hour, minute, half, zone = match.groups()
    from datetime import datetime, timedelta

    today = datetime.fromtimestamp(at, _zone(zone)).astimezone(_zone(zone))
    try:
        then = today.replace(
            hour=int(hour) % 12 + (12 if half.lower() == "p" else 0), minute=int(minute or 0), second=0, microsecond=0
        )
        if month:
            then = then.replace(int(year or today.year), 1 + _MONTHS.index(month.lower()), int(day))
    except ValueError:
        return None
    return (then if month or then > today else then + timedelta(days=1)).timestamp()


def _zone(name: str | None) -> tzinfo | None:
    if name is None:
        return None
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None
