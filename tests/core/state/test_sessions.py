"""Sessions: their ids and what they begin with."""

from __future__ import annotations

from orchd.core.state.sessions import Session, number_of_session, session_id


def test_session_ids_convert_to_numbers_and_back() -> None:
    assert session_id(7) == "session-007"
    assert number_of_session(session_id(12345)) == 12345


def test_a_session_begins_open_and_with_nothing_spent() -> None:
    session = Session(session_id(1), "/work", 5.0)
    assert (session.closed_at, session.agents, session.expected, session.spent.tokens) == (None, 0, 0, 0)
    assert session.budget.reached_by(session.spent) is None
