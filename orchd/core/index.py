"""The indexes of a State: what could be counted each time and is kept because it is asked each turn.

Only `apply`, `ripen`, `load` and `forget` change them; `recount` makes everything anew from the agents alone.
"""

from __future__ import annotations

from collections.abc import Iterable

from orchd.core.model import LIVING, Agent, AgentId, State, Status
from orchd.core.queue import Ticket, ticket


def ticket_of(agent: Agent) -> Ticket:
    """Where `agent` stands in line when it is ready."""
    return ticket(priority=agent.spec.priority, age=agent.age, depth=agent.depth, number=agent.number)


def enter_indexes(state: State, agent: Agent) -> None:
    """Enter `agent`, as it is now, wherever it belongs."""
    if agent.is_over:
        return
    state.environments[agent.spec.environment] = state.environments.get(agent.spec.environment, 0) + 1
    if agent.parent:
        state.children.setdefault(agent.parent, set()).add(agent.id)
    if agent.status in LIVING:
        state.living[agent.id] = agent
    if agent.status is not Status.QUEUED:
        return
    blockers = [found.id for found in state.unfinished(agent.spec.after)] if agent.spec.after else []
    for blocker in blockers:
        state.dependents.setdefault(blocker, set()).add(agent.id)
    if not blockers:
        stand_in_line(state, agent)


def leave_indexes(state: State, agent: Agent) -> None:
    """Take `agent`, as it was, out of all of them."""
    if agent.is_over:
        return
    _release(state.environments, agent.spec.environment)
    if agent.parent:
        _discard(state.children, agent.parent, agent.id)
    state.living.pop(agent.id, None)
    if agent.status is Status.QUEUED:
        for blocker in agent.spec.after:
            _discard(state.dependents, blocker, agent.id)
        state.queue.discard(ticket_of(agent), agent.claim, agent.ready_at)


def stand_in_line(state: State, agent: Agent) -> None:
    """`agent` waits for nothing but a place, or for its time."""
    if agent.ready_at is None:
        state.queue.add(ticket_of(agent), agent.claim)
    else:
        state.queue.delay(ticket_of(agent), agent.claim, agent.ready_at)


def free_dependents(state: State, agent: Agent) -> None:
    """`agent` completed: whoever waited for it alone stands in line. Those of a failed one are for `settle` to skip."""
    for one in state.dependents.pop(agent.id, ()):
        dependent = state.agents[one]
        if not any(state.unfinished(dependent.spec.after)):
            stand_in_line(state, dependent)


def ripen(state: State, now: float) -> None:
    """What time alone changes, and no fact: delayed tickets stand in line, and a hold that is over is forgotten."""
    state.queue.ripen(now)
    if state.held_until <= now:
        state.held_until = 0.0


def load(state: State, agents: Iterable[Agent]) -> None:
    """Put agents that were stored into memory."""
    found = list(agents)
    for agent in found:
        state.agents[agent.id] = agent
    for agent in found:
        enter_indexes(state, agent)


def forget(state: State, ids: Iterable[AgentId]) -> None:
    """Drop those that are over: the store has them, and memory must not grow with history."""
    for one in ids:
        agent = state.agents.get(one)
        if agent is not None and agent.is_over:
            del state.agents[one]


def recount(state: State) -> tuple[object, ...]:
    """Every index anew from the agents alone, to be compared with what is kept."""
    fresh = State(agents=state.agents)
    for agent in state.agents.values():
        enter_indexes(fresh, agent)
    return indexes(fresh)


def indexes(state: State) -> tuple[object, ...]:
    """Every index in a form that can be compared."""
    return (
        set(state.living),
        state.children,
        state.dependents,
        state.environments,
        (sorted(state.queue.entries()), len(state.queue)),
    )


def _release(counts: dict[str, int], key: str) -> None:
    counts[key] -= 1
    if not counts[key]:
        del counts[key]


def _discard(index: dict[AgentId, set[AgentId]], key: AgentId, value: AgentId) -> None:
    if members := index.get(key):
        members.discard(value)
        if not members:
            del index[key]
