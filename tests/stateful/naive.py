"""The promises once more, obviously right and slow: nothing here asks the core how it counts."""

from __future__ import annotations

from collections.abc import Iterable

from orchd.core.model import Agent, AgentId, State, Status, Wait

WORKING = {Status.STARTING, Status.RUNNING, Status.STOPPING}
LIVING = WORKING | {Status.WAITING}


def working(state: State) -> int:
    """Who holds a working place."""
    return sum(1 for agent in state.agents.values() if agent.status in WORKING)


def living(state: State) -> list[Agent]:
    """Who holds a resident place."""
    return [agent for agent in state.agents.values() if agent.status in LIVING]


def unfinished(state: State, ids: Iterable[AgentId]) -> list[Agent]:
    """Those that are not over; what is not in memory is."""
    found = [state.agents[one] for one in ids if one in state.agents]
    return [agent for agent in found if not agent.is_over]


def can_all_end(resident: int, claims: Iterable[int]) -> bool:
    """Whether somebody can always be given all that he may ask for, until nobody is left."""
    held = [claim for claim in claims if claim > 0]
    while held:
        free = resident - len(held)
        able = [claim for claim in held if claim <= free]
        if not able:
            return False
        held.remove(able[0])
    return True


def is_safe(state: State, *more: int) -> bool:
    """Whether all that lives can end, also beside newcomers with the claims `more`."""
    return can_all_end(state.resident, [agent.claim for agent in living(state)] + list(more))


def is_true(state: State, wait: Wait) -> bool:
    """Whether what was waited for has come about."""
    left = unfinished(state, wait.targets)
    return not left or (wait.is_any and len(left) < len(wait.targets))


def below(state: State, agent: Agent) -> list[Agent]:
    """Whom it cannot go on without, directly."""
    if agent.status is Status.QUEUED:
        return unfinished(state, agent.spec.after)
    return unfinished(state, [target for wait in agent.waits.values() for target in wait.targets])


def all_below(state: State, agent: Agent) -> dict[AgentId, Agent]:
    """Whom it cannot go on without, near and far."""
    found: dict[AgentId, Agent] = {}
    frontier = below(state, agent)
    while frontier:
        here = frontier.pop()
        if here.id not in found:
            found[here.id] = here
            frontier += below(state, here)
    return found


def is_ready(state: State, agent: Agent, now: float) -> bool:
    """Whether it waits for nothing but a place."""
    is_due = agent.ready_at is None or agent.ready_at <= now
    return agent.status is Status.QUEUED and is_due and not below(state, agent)


def is_needed(state: State, agent: Agent) -> bool:
    """Whether anything that lives may be waiting for it."""
    alive = living(state)
    return any(agent.parent == one.id or agent.id in all_below(state, one) for one in alive)
