"""The registry of agents, runs and sessions: unfinished ones in memory, finished ones in the store until they are
pruned."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping

from orchd.core.admission.reasons import listed
from orchd.core.handlers.backoff import MOST_SECONDS
from orchd.core.state.agents import Agent, AgentId, number_of
from orchd.core.state.indexes import forget, forget_runs, load
from orchd.core.state.runs import Run, RunId, number_of_run
from orchd.core.state.sessions import Session, SessionId, number_of_session
from orchd.core.state.state import State
from orchd.protocol.errors import WireError
from orchd.store.database import Store
from orchd.views.agents import canonical, canonical_run, canonical_session

_REMEMBERED = 256  # finished agents
_NAMES = 10_000  # of the newest agents, which is read in some 10 ms
_LISTED = 5  # ids in a message


class AgentRegistry:
    """All agents, runs and sessions that exist."""

    def __init__(self, state: State, store: Store) -> None:
        self._state = state
        self._store = store
        self._recalled: set[AgentId] = set()
        self._kept: set[RunId] = set()
        self._over: OrderedDict[AgentId, Agent] = OrderedDict()  # read lately; only a recall can change them
        self.leaving: set[AgentId] = set()  # chosen to be pruned: their rows may still be there
        self.maps: dict[AgentId, dict[str, object]] = {}  # the maps of some of them

    def restore(self, agents: Iterable[Agent], now: float) -> None:
        """Put the agents that an earlier daemon left unfinished into memory. After a reboot the monotonic clock began
        anew, so no delayed agent may wait longer than the longest delay."""
        for run in self._store.unfinished_runs():
            self._state.runs[run.id] = run
        unfinished = list(agents)
        for agent in unfinished:
            agent.age = min(agent.age, now)
            if agent.ready_at is not None:
                agent.ready_at = min(agent.ready_at, now + MOST_SECONDS)
        for session in {agent.spec.session for agent in unfinished if agent.spec.session}:
            self._load_session(session)
        load(self._state, unfinished)

    def _load_session(self, session_id: SessionId) -> None:
        if session_id not in self._state.sessions and (session := self._store.session(session_id)) is not None:
            self._state.sessions[session_id] = session

    def find(self, text: str, root: AgentId | None = None) -> Agent:
        """Return the agent with the id or the name `text`; by name only in the tree of `root`, where that is given.

        An id wins over a name. A name means the unfinished agent, or else the newest finished one. Raises WireError
        `unknown-agent`, `ambiguous` when several unfinished agents have this name, or `pruned`.
        """
        agent_id = canonical(text)
        agent = self._by_name(text, root) if agent_id is None else self.recorded(agent_id)
        if agent is not None:
            return agent
        if agent_id is not None and number_of(agent_id) <= self._state.last_number:
            raise _pruned(agent_id)
        message = f"no agent has the id or name {text!r}; `orchctl status --all` lists all agents"
        if (session := canonical_session(text)) is not None:
            message = (
                f"{text!r} is not an agent: it is the session {session}; show it with `orchctl session show {session}`"
            )
        elif root is not None:
            message = f"no agent in the tree of {root} has the id or name {text!r}; agents see their own tree only"
        raise WireError("unknown-agent", message)

    def _by_name(self, name: str, root: AgentId | None) -> Agent | None:
        """Return the unfinished agent with this name, or else the newest finished one. Raises WireError `ambiguous`."""
        named = [agent for agent in self._state.agents.values() if agent.spec.name == name]
        unfinished = sorted(agent.id for agent in named if not agent.is_over and root in (None, agent.root))
        if len(unfinished) > 1:
            raise WireError(
                "ambiguous",
                f"{len(unfinished)} unfinished agents have the name {name!r}: {listed(unfinished, _LISTED)}; "
                "give an id",
            )
        if unfinished:
            return self._state.agents[unfinished[0]]
        newest = self._store.newest_named(name, root, self.leaving, self._state.last_number - _NAMES)
        return None if newest is None else self.recorded(newest)

    def recorded(self, agent_id: AgentId) -> Agent | None:
        """Return the agent of this id, from memory or the store; None when it does not exist any more."""
        agent = self._state.agents.get(agent_id) or self._over.get(agent_id)
        if agent is not None or agent_id in self.leaving:
            return agent
        agent = self._store.agent(agent_id)
        if agent is not None and agent.is_over:
            self._over[agent_id] = agent
            if len(self._over) > _REMEMBERED:
                self.maps.pop(self._over.popitem(last=False)[0], None)
        return agent

    def leave(self, ids: Iterable[AgentId]) -> None:
        """Hide agents whose rows are being deleted."""
        for agent_id in ids:
            self.leaving.add(agent_id)
            self._over.pop(agent_id, None)
            self.maps.pop(agent_id, None)

    def show(self, maps: Mapping[AgentId, dict[str, object]]) -> None:
        """Cache the maps of the agents that have finished."""
        self.maps.update((agent_id, agent_map) for agent_id, agent_map in maps.items() if agent_id in self._over)

    def recall(self, text: str, root: AgentId | None = None) -> Agent:
        """Return the agent of `find`, in memory for the coming turn, so that the core can decide about it. Raises as
        `find`."""
        agent = self.find(text, root)
        self._over.pop(agent.id, None)
        self.maps.pop(agent.id, None)
        if agent.id not in self._state.agents:
            if (member := agent.spec.member) is not None and member.run not in self._state.runs:
                self._state.runs[member.run] = self.run(member.run)
            if agent.spec.session is not None:
                self._load_session(agent.spec.session)
            load(self._state, [agent])
            self._recalled.add(agent.id)
        return agent

    def run(self, text: str) -> Run:
        """Return the run that `text` names. Raises WireError `unknown-run` or `pruned`."""
        run_id = canonical_run(text)
        run = None if run_id is None else self._state.runs.get(run_id) or self._store.run(run_id)
        if run is None and run_id is not None and number_of_run(run_id) <= self._state.last_run:
            raise _pruned(run_id)
        if run is None:
            raise WireError("unknown-run", f"unknown run {text!r}; `orchctl runs --all` lists all runs")
        return run

    def session(self, text: str) -> Session:
        """Return the session that `text` names. Raises WireError `unknown-session` or `pruned`."""
        session_id = canonical_session(text)
        session = (
            None if session_id is None else self._state.sessions.get(session_id) or self._store.session(session_id)
        )
        if session is None and session_id is not None and number_of_session(session_id) <= self._state.last_session:
            raise _pruned(session_id)
        if session is None:
            raise WireError(
                "unknown-session", f"unknown session {text!r}; `orchctl session list --all` lists all sessions"
            )
        return session

    def scope(self, text: str) -> Session | Run:
        """Return the session or run that `text` names, which have a budget each. Raises as `session` and `run` do."""
        return self.run(text) if canonical_run(text) else self.session(text)

    def session_in(self, directory: str) -> Session | None:
        """Return the session that is open in a directory."""
        session = self._store.open_session(directory)
        return self._state.sessions.get(session.id, session) if session else None

    def keep(self, known: Session | Run) -> None:
        """Keep a session or run in memory for the coming turn, so that the core can decide about it."""
        if isinstance(known, Session):
            self._state.sessions.setdefault(known.id, known)
        else:
            self._state.runs.setdefault(known.id, known)
            self._kept.add(known.id)
            if known.plan.session is not None:
                self._load_session(known.plan.session)

    def let_go(self) -> None:
        """Drop recalled agents and kept runs that are still finished, and sessions without unfinished agents."""
        forget(self._state, self._recalled)
        forget_runs(self._state, self._kept)
        self._recalled.clear()
        self._kept.clear()
        for session_id in self._state.sessions.keys() - self._state.in_sessions.keys():
            del self._state.sessions[session_id]

    def many(self, ids: Iterable[AgentId]) -> list[Agent]:
        """Return these agents, which exist, in the order given."""
        wanted = list(ids)
        elsewhere = [number_of(agent_id) for agent_id in wanted if agent_id not in self._state.agents]
        stored = {agent.id: agent for agent in self._store.agents(elsewhere)} if elsewhere else {}
        return [self._state.agents.get(agent_id) or stored[agent_id] for agent_id in wanted]


def _pruned(pruned_id: str) -> WireError:
    """Return the error for a pruned id: ids are assigned in ascending order, so any id up to the last existed."""
    return WireError(
        "pruned",
        f"{pruned_id} has finished and was pruned; `orchctl config show` shows how long finished agents are kept",
    )
