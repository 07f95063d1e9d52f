"""Sessions: the agents and runs started in one project directory, from the first agent until the session is closed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NewType

from orchd.core.state.spending import Budget, Spent
from orchd.protocol.ids import SESSION, number_of, numbered

SessionId = NewType("SessionId", str)


@dataclass(slots=True)
class Session:
    """The current state of a session. It is in memory while any of its agents is unfinished."""

    id: SessionId
    directory: str
    opened_at: float  # wall
    name: str | None = None
    closed_at: float | None = None
    budget: Budget = field(default_factory=Budget)
    spent: Spent = field(default_factory=Spent)
    agents: int = 0  # ever queued in it
    expected: int = 0  # tokens that they were expected to take, as far as that is known


def session_id(number: int) -> SessionId:
    """Return the id with this number: `session-007`."""
    return SessionId(numbered(SESSION, number))


def number_of_session(session: SessionId) -> int:
    """Return the number in an id: 7 for `session-007`."""
    return number_of(session)
