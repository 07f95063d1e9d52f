"""Sessions: what was begun in one project directory, from the first agent there until somebody closes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NewType

from orchd.core.state.spending import Budget, Spent
from orchd.ids import SESSION, number_of, numbered

SessionId = NewType("SessionId", str)


@dataclass(slots=True)
class Session:
    """One session as it stands now. It is in memory as long as one of its agents is not over."""

    id: SessionId
    directory: str
    opened_at: float  # wall
    name: str | None = None
    closed_at: float | None = None
    budget: Budget = field(default_factory=Budget)
    spent: Spent = field(default_factory=Spent)
    agents: int = 0  # ever queued in it
    expected: int = 0  # tokens that they were expected to take, those of whom it is known


def session_id(number: int) -> SessionId:
    """`session-007`."""
    return SessionId(numbered(SESSION, number))


def number_of_session(session: SessionId) -> int:
    """7 for `session-007`."""
    return number_of(session)
