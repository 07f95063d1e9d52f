"""Findings of checks: a state, a sentence, and a remedy."""

from __future__ import annotations

from typing import NamedTuple

OK, WARNING, PROBLEM = "ok", "warning", "problem"


class Finding(NamedTuple):
    """The result of a check."""

    check: str
    state: str
    what: str
    remedy: str | None = None


def ok(check: str, what: str) -> Finding:
    """Return a finding without a problem."""
    return Finding(check, OK, what)


def warning(check: str, what: str, remedy: str) -> Finding:
    """Return a finding that needs attention although orchd works."""
    return Finding(check, WARNING, what, remedy)


def problem(check: str, what: str, remedy: str) -> Finding:
    """Return a finding that something does not work, or is accessible to other users."""
    return Finding(check, PROBLEM, what, remedy)
