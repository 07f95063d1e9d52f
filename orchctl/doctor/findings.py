"""What a check found: a word for how it stands, a sentence, and what to do about it."""

from __future__ import annotations

from typing import NamedTuple

OK, WARNING, PROBLEM = "ok", "warning", "problem"


class Finding(NamedTuple):
    """One thing that was looked at."""

    check: str
    state: str
    what: str
    remedy: str | None = None


def ok(check: str, what: str) -> Finding:
    """As it should be."""
    return Finding(check, OK, what)


def warning(check: str, what: str, remedy: str) -> Finding:
    """It works, and something is missing or will be."""
    return Finding(check, WARNING, what, remedy)


def problem(check: str, what: str, remedy: str) -> Finding:
    """Something does not work, or is open to others."""
    return Finding(check, PROBLEM, what, remedy)
