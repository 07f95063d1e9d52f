"""Resolves ids and names in requests to agents, runs and sessions that the caller may see or control."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress

from orchd.core.state.agents import Agent, AgentId
from orchd.core.state.runs import MemberResult
from orchd.core.state.sessions import Session, SessionId
from orchd.core.state.state import State
from orchd.network.callers import Caller, agent_of
from orchd.network.permissions import check_may_control, check_visible
from orchd.protocol import operations
from orchd.protocol.errors import WireError
from orchd.protocol.frames import MOST
from orchd.store.database import Store
from orchd.views.agents import canonical, canonical_run
from orchd.views.registry import AgentRegistry

MOST_NAMES = 100  # of a request: the search for a name may read the newest agents


class Resolver:
    """Resolves ids and names. Raises WireError for unknown ids, and for agents outside the rights of the caller."""

    def __init__(self, state: State, store: Store, records: AgentRegistry) -> None:
        self._state = state
        self._store = store
        self._records = records

    def targets(self, caller: Caller, args: operations.Wait) -> tuple[AgentId, ...]:
        """Return the agents that a request waits for: the named ones, with their descendants for the scope `tree`, the
        children of the calling attempt, or all that are unfinished. Raises WireError."""
        if args.scope in ("ids", "tree"):
            if not args.ids:
                what = "nothing to wait for; give ids, --all or --children (scope `all` or `children`)"
                raise WireError("bad-request", what)
            named = dict.fromkeys(agent.id for agent in self.seen(caller, args.ids, most=None))
            if args.scope == "ids":
                return tuple(named)
            unfinished = (agent for agent in self._state.agents.values() if not agent.is_over)
            below = (agent.id for agent in unfinished if any(ancestor in named for ancestor in agent.ancestors))
            return tuple(dict.fromkeys((*named, *below)))
        parent = agent_of(caller)
        if args.scope == "children":
            if parent is None:
                what = "the caller is not an agent and has no children"
                raise WireError("bad-request", f"{what}; give ids, or --all (scope `all`) to wait for all agents")
            agent = self._state.agents[parent]  # of its current attempt, ended children included
            children = self._store.agents(self._store.children([agent.number]).get(agent.number, []))
            return tuple(child.id for child in children if child.parent_attempt == agent.attempt)
        unfinished = (agent for agent in self._state.agents.values() if not agent.is_over)
        return tuple(agent.id for agent in unfinished if parent is None or parent in agent.ancestors)

    def seen(self, caller: Caller, ids: tuple[str, ...], *, most: int | None = MOST) -> list[Agent]:
        """Return the agents that these ids name. Raises WireError when one is not visible, or they are too many."""
        root = self.root_of(caller)
        agents = [self._records.find(agent_id, root) for agent_id in self._expanded(ids, lambda _: True, most)]
        for agent in agents:
            check_visible(caller, root, agent)
        return agents

    def session_of(self, caller: Caller) -> SessionId | None:
        """Return the session of the calling agent; None for an outside caller."""
        agent_id = agent_of(caller)
        return self._state.agents[agent_id].spec.session if agent_id else None

    def requested_session(self, caller: Caller, args: operations.SessionStatus) -> Session:
        """Return the requested session. Raises WireError when there is none, or the caller may not see it."""
        own = self.session_of(caller)
        if args.id is not None or own is not None:
            session = self._records.session(args.id or own or "")
            if agent_of(caller) is not None and session.id != own:
                raise WireError("forbidden", f"permission denied: {session.id} is not the session of {caller}")
            return session
        sessions = self._store.sessions(None, 1, args.project)
        if not sessions:
            where = f" in {args.project}" if args.project else ""
            raise WireError("unknown-session", f"there is no session{where} yet; the first agent opens one")
        return sessions[0]

    def root_of(self, caller: Caller) -> AgentId | None:
        """Return the root of the calling agent's tree; None for an outside caller."""
        agent_id = agent_of(caller)
        return self._state.agents[agent_id].root if agent_id else None

    def commanded(
        self, caller: Caller, ids: tuple[str, ...], wanted: Callable[[MemberResult | None], bool]
    ) -> tuple[AgentId, ...]:
        """Return the named agents, loaded for the next turn. Raises WireError when the caller may not control one."""
        root = self.root_of(caller)
        agents = [self._records.recall(agent_id, root) for agent_id in self._expanded(ids, wanted, MOST)]
        for agent in agents:
            check_may_control(caller, agent)
            for blocker in agent.spec.after:
                with suppress(WireError):  # it was pruned, so it has ended
                    self._records.recall(blocker)
        return tuple(dict.fromkeys(agent.id for agent in agents))

    def _expanded(
        self, ids: Iterable[str], wanted: Callable[[MemberResult | None], bool], most: int | None
    ) -> tuple[str, ...]:
        """Return the agents that these ids name; a run stands for its members for whose result `wanted` is true."""
        agents: list[str] = []
        for name in ids:
            if canonical_run(name) is None:
                agents.append(name)
                continue
            run = self._records.run(name)
            agents += [mate.agent for path, mate in run.members.items() if wanted(run.ended.get(path))]
        if (names := sum(canonical(name) is None for name in agents)) > MOST_NAMES:
            raise WireError(
                "too-large",
                f"{names} agents are given by name, but a request may have at most {MOST_NAMES} names; give ids",
            )
        if most is not None and len(agents) > most:
            raise WireError(
                "too-large",
                f"these ids mean {len(agents):,} agents, but a request may have at most {most:,}; give fewer runs",
            )
        return tuple(agents)
