"""Handlers of sessions: the session of new agents, open, close, budgets."""

from __future__ import annotations

from orchd.core.inputs import CloseSession, OpenSession, Scope, SetBudget
from orchd.core.state.agents import Agent
from orchd.core.state.events import RunBudgetChanged, SessionBudgetChanged, SessionClosed, SessionOpened
from orchd.core.state.runs import RunId
from orchd.core.state.sessions import Session, SessionId, number_of_session, session_id
from orchd.core.state.spending import Budget
from orchd.core.state.state import State
from orchd.core.turn import Turn


def session_now(state: State, parent: Agent | None, scope: Scope | None) -> SessionId | None:
    """Return the session that new agents would belong to, if it exists already."""
    if parent is not None:
        return parent.spec.session
    session = None if scope is None else _session_open_in(state, scope)
    return session.id if session else None


def session_of(turn: Turn, parent: Agent | None, scope: Scope | None) -> SessionId | None:
    """Return the session of new agents, and open it when there is none."""
    session = session_now(turn.state, parent, scope)
    if session is not None or parent is not None or scope is None:
        return session
    return _open(turn, scope.directory, None, Budget())


def open_session(turn: Turn, given: OpenSession) -> None:
    """Open a session, and close the session that is open in its directory."""
    if (old := _session_open_in(turn.state, given.scope)) is not None:
        turn.record(SessionClosed(old.id))
    session = _open(turn, given.scope.directory, given.name, given.budget)
    turn.answer_of(given.request, session)


def close_session(turn: Turn, given: CloseSession) -> None:
    """Close a session. Idempotent."""
    if turn.state.sessions[given.session].closed_at is None:
        turn.record(SessionClosed(given.session))
    turn.answer_of(given.request, given.session)


def set_budget(turn: Turn, given: SetBudget) -> None:
    """Change or remove the budget of a session or run."""
    if (run := turn.state.runs.get(RunId(given.target))) is not None:
        turn.record(RunBudgetChanged(run.id, given.budget))
    else:
        turn.record(SessionBudgetChanged(SessionId(given.target), given.budget))
    turn.answer_of(given.request, given.target)


def _session_open_in(state: State, scope: Scope) -> Session | None:
    """Return the session that is open in the directory. The session that the store returned may be closed by now, and
    another request of the same turn may have opened a new one."""
    in_directory = (session for session in state.sessions.values() if session.directory == scope.directory)
    open_sessions = (session for session in in_directory if session.closed_at is None)
    return max(open_sessions, key=lambda session: number_of_session(session.id), default=None)


def _open(turn: Turn, directory: str, name: str | None, budget: Budget) -> SessionId:
    session = session_id(turn.state.last_session + 1)
    turn.record(SessionOpened(session, directory, name, budget))
    return session
