"""Selects the agents of `status`: pages of all agents, or the first of a large fleet with counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from heapq import nsmallest
from itertools import islice
from typing import NamedTuple

from orchd.core.state.agents import Agent, AgentId, Status, agent_id, number_of
from orchd.core.state.indexes import ticket_of
from orchd.core.state.runs import Run, number_of_run
from orchd.core.state.sessions import Session, SessionId, number_of_session
from orchd.core.state.spending import Budget
from orchd.core.state.state import State
from orchd.store.database import Store
from orchd.views.agents import budget_map
from orchd.views.registry import AgentRegistry

RECENT = 10
ENDED = "ended"  # in the counts, whatever an agent ended as

_ORDER = {Status.STOPPING: 0, Status.STARTING: 0, Status.RUNNING: 0, Status.WAITING: 1, Status.QUEUED: 2}
_LAST = 3  # ended agents come after all others


class First(NamedTuple):
    """The first agents of a larger number, the oldest first, and the counts of that number by status."""

    agents: list[Agent]
    counts: dict[str, int]


class AgentListing:
    """Looks up agents in the state, and ended agents in the store."""

    def __init__(self, state: State, store: Store, records: AgentRegistry) -> None:
        self._state = state
        self._store = store
        self._records = records

    def all(self, before: int | None, root: AgentId | None, count: int) -> list[int]:
        """Return the numbers of the `count` newest agents below `before`, newest first; with `root`, in this tree."""
        return self._store.page(before, count, number_of(root) if root else None)

    def current(self, before: int | None, root: AgentId | None) -> list[int]:
        """Return the numbers below `before` in trees with an unfinished agent and in trees of the last few agents,
        newest first; with `root`, in this tree."""
        roots = {number_of(agent.root) for agent in self._unfinished(root)}
        tree = number_of(root) if root else None
        roots |= self._store.roots_of(self._store.page(None, RECENT, tree))
        wanted = (number for number in roots if tree in (None, number) and (before is None or number < before))
        numbers = self._store.in_trees(wanted)
        return sorted((number for number in numbers if before is None or number < before), reverse=True)

    def first(self, most: int, root: AgentId | None) -> First:
        """Return the first `most` agents: running, then waiting, then the queue in its order, then ended agents, newest
        first; and their ancestors. Ended agents are only counted when there is room for them.
        """
        unfinished = self._unfinished(root)
        living = [agent for agent in self._state.living.values() if root in (None, agent.root)]
        counts = Counter(agent.shown_status for agent in living)
        counts[Status.QUEUED.value] = len(unfinished) - len(living)
        chosen = nsmallest(most, living, key=self._rank)
        queued = {agent.id: agent for agent in unfinished if agent.status is Status.QUEUED}
        ready = (agent_id(entry.number) for entry in self._state.queue.in_order())
        room = max(0, most - len(chosen))
        chosen += islice((queued.pop(ready_id) for ready_id in ready if ready_id in queued), room)
        # ready agents come before blocked ones
        chosen += nsmallest(most - len(chosen), queued.values(), key=lambda agent: agent.number)
        if len(chosen) < most:
            known = {agent.number for agent in unfinished}
            ended = [number for number in self.current(None, root) if number not in known]
            counts[ENDED] = len(ended)
            chosen += self._records.many(map(agent_id, ended[: most - len(chosen)]))
        return First(self._with_ancestors(chosen), dict(+counts))

    def first_of(self, agents: Iterable[Agent], most: int) -> First:
        """Return the first `most` of these agents, and their counts by status."""
        distinct = list({agent.id: agent for agent in agents}.values())
        counts = Counter(ENDED if agent.is_over else agent.shown_status for agent in distinct)
        return First(sorted(nsmallest(most, distinct, key=self._rank), key=lambda agent: agent.number), dict(counts))

    def budgets(self, named: Iterable[Agent], root: AgentId | None, own: SessionId | None) -> list[dict[str, object]]:
        """Return the budgets of sessions and runs with unfinished agents, and of `named`; with `root`, only of this
        tree, whose session is `own`."""
        of_named = {agent.spec.session for agent in named} if own is None else {own}
        sessions = {
            *(self._state.in_sessions if own is None else ()),
            *(session_id for session_id in of_named if session_id),
        }
        runs = {run.id for run in self._state.runs.values() if not run.is_over}
        runs |= {agent.spec.member.run for agent in named if agent.spec.member}
        scopes: list[Session | Run | None] = [self._session(scope) for scope in sorted(sessions, key=number_of_session)]
        named_runs = (
            self._state.runs.get(run_id) or self._store.run(run_id) for run_id in sorted(runs, key=number_of_run)
        )
        scopes += [run for run in named_runs if run is not None and (root is None or root in run.plan.ancestors)]
        return [
            {"id": scope.id, **budget_map(scope)} for scope in scopes if scope is not None and scope.budget != Budget()
        ]

    def tokens(self, agents: Iterable[Agent]) -> int:
        """Return the tokens that the sessions of these agents have used."""
        sessions = map(self._session, {agent.spec.session for agent in agents if agent.spec.session is not None})
        return sum(session.spent.tokens for session in sessions if session is not None)

    def _session(self, session_id: SessionId) -> Session | None:
        return self._state.sessions.get(session_id) or self._store.session(session_id)

    def _unfinished(self, root: AgentId | None) -> list[Agent]:
        unfinished = (agent for agent in self._state.agents.values() if not agent.is_over)
        return [agent for agent in unfinished if root in (None, agent.root)]

    def _with_ancestors(self, agents: list[Agent]) -> list[Agent]:
        """Return the agents and their ancestors, the oldest first."""
        chosen = {agent.id for agent in agents}
        missing = {ancestor for agent in agents for ancestor in agent.ancestors if ancestor not in chosen}
        ancestors = (self._records.recorded(ancestor) for ancestor in missing)
        return sorted([*agents, *(agent for agent in ancestors if agent is not None)], key=lambda agent: agent.number)

    def _rank(self, agent: Agent) -> tuple[object, ...]:
        if agent.is_over:
            return (_LAST, -agent.number)
        if agent.status is Status.QUEUED:
            return (_ORDER[agent.status], any(self._state.unfinished(agent.blockers)), ticket_of(agent))
        return (_ORDER[agent.status], agent.number)
