"""Sessions as they are on the disk, and what everything has cost, added up once more beside the core."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from orchd.core.inputs import Scope
from orchd.core.state.agents import Agent
from orchd.core.state.events import (
    AgentQueued,
    Event,
    ProcessEnded,
    RunBegan,
    RunBudgetChanged,
    SessionBudgetChanged,
    SessionEvent,
    SessionOpened,
)
from orchd.core.state.sessions import Session, SessionId, number_of_session
from orchd.core.state.spending import Budget, Spent
from orchd.core.state.state import State
from orchd.store.codec import pack_session, unpack_session


@dataclass
class Ledger:
    """The sessions as the store knows them, and bills and budgets by session and by run."""

    sessions: dict[SessionId, bytes] = field(default_factory=dict)
    bills: dict[str, Spent] = field(default_factory=dict)
    budgets: dict[str, Budget] = field(default_factory=dict)
    members: dict[str, int] = field(default_factory=dict)  # agents ever queued in a session
    last: int = 0

    def commit(self, state: State, events: Sequence[Event]) -> None:
        """Write the sessions that changed, and what was paid."""
        touched: set[SessionId] = set()
        for event in events:
            self.budgets |= _budget_of(event)
            if isinstance(event, SessionEvent):
                touched.add(event.session)
            elif isinstance(event, AgentQueued) and event.spec.session is not None:
                touched.add(event.spec.session)
                self.members[event.spec.session] = self.members.get(event.spec.session, 0) + 1
            elif isinstance(event, ProcessEnded) and (report := event.outcome.report) is not None:
                agent = state.agents[event.agent]
                touched |= {agent.spec.session} if agent.spec.session else set()
                for scope in scopes_of(agent):
                    self.bills[scope] = added(self.bills.get(scope, Spent()), report.spent)
        self.sessions |= {session: pack_session(state.sessions[session]) for session in touched}
        self.last = state.last_session

    def restore(self, state: State, unfinished: Iterable[Agent]) -> None:
        """Load the sessions that the next daemon has in memory."""
        state.last_session = self.last
        for agent in unfinished:
            self.know(state, agent.spec.session)

    def know(self, state: State, session_id: SessionId | None) -> None:
        """Have a session in memory for the turn to come."""
        if session_id is not None and session_id not in state.sessions:
            state.sessions[session_id] = self.stored(session_id)

    def let_go(self, state: State) -> None:
        """Forget sessions without a living agent: they are only in the store."""
        for session_id in [session_id for session_id in state.sessions if session_id not in state.in_sessions]:
            del state.sessions[session_id]

    def scope(self, state: State, directory: str | None) -> Scope | None:
        """Where agents of a person belong, with the session that is open there in memory."""
        if directory is None:
            return None
        for session_id in self.sessions:
            stored = self.stored(session_id)
            if stored.directory == directory and stored.closed_at is None:
                self.know(state, session_id)
        return Scope(directory)

    def stored(self, session_id: SessionId) -> Session:
        """The session as the store would return it."""
        return unpack_session(session_id, self.sessions[session_id])

    def is_spent(self, agent: Agent, events: Sequence[Event]) -> bool:
        """Whether a budget over `agent` is reached, by what is on the disk and what `events` bring."""
        for scope in scopes_of(agent):
            budget = self.budgets.get(scope, Budget())
            for event in events:
                budget = _budget_of(event).get(scope, budget)
            bill = self.bills.get(scope, Spent())
            if budget.tokens is not None and bill.tokens >= budget.tokens:
                return True
            if budget.cost_usd is not None and bill.cost_usd >= budget.cost_usd:
                return True
        return False

    def check(self, state: State) -> None:
        """Check sessions and runs between two turns."""
        for run in state.runs.values():
            assert run.spent == self.bills.get(run.id, Spent()), "a run's bill is wrong"
        for session_id, session in state.sessions.items():
            assert session == self.stored(session_id), "a session is not what was written"
            assert session.spent == self.bills.get(session_id, Spent()), "a session's bill is wrong"
            assert session.agents == self.members.get(session_id, 0), "a session's agents are counted wrong"
        for agent in state.agents.values():
            parent = state.agents.get(agent.parent) if agent.parent else None
            assert parent is None or parent.spec.session == agent.spec.session, "a child is in another session"

    def check_open(self) -> None:
        """One directory has one open session."""
        where = [
            known.directory for session_id in self.sessions if (known := self.stored(session_id)).closed_at is None
        ]
        assert len(where) == len(set(where)), "two sessions are open in one directory"

    def names(self) -> list[SessionId]:
        """The ids of all sessions."""
        return sorted(self.sessions, key=number_of_session)


def scopes_of(agent: Agent) -> list[str]:
    """The session and the run that pay for it."""
    scopes = [agent.spec.session, agent.spec.member.run if agent.spec.member else None]
    return [scope for scope in scopes if scope is not None]


def added(spent: Spent, other: Spent) -> Spent:
    """Both together, number by number."""
    return Spent._make(number + other_number for number, other_number in zip(spent, other, strict=True))


def _budget_of(event: Event) -> dict[str, Budget]:
    if isinstance(event, SessionOpened | SessionBudgetChanged):
        return {event.session: event.budget}
    if isinstance(event, RunBegan | RunBudgetChanged):
        return {event.run: event.budget}
    return {}
