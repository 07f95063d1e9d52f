"""Ids: `agent-007`, `run-007`, `session-007`. Numbers are given out in order and never again."""

from __future__ import annotations

from functools import lru_cache

AGENT, RUN, SESSION = "agent", "run", "session"
_DIGITS = 15  # of the longest number


def numbered(kind: str, number: int) -> str:
    """Return `agent-007` for the kind `agent` and 7."""
    return f"{kind}-{number:03d}"


@lru_cache(maxsize=4096)  # called some twenty times an attempt
def number_of(name: str) -> int:
    """Return 7 for `agent-007`, `run-007` and `session-007`."""
    return int(name.rpartition("-")[2])


def canonical(kind: str, text: str) -> str | None:
    """Return `run-007` for the kind `run` and `run-7`; None for text that cannot be an id of this kind."""
    prefix, _, digits = text.rpartition("-")
    is_number = digits.isascii() and digits.isdigit() and len(digits) <= _DIGITS
    return numbered(kind, int(digits)) if prefix == kind and is_number and int(digits) else None
