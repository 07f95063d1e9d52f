"""The promises once more, obviously right and slow: nothing here asks the core how it counts."""

from __future__ import annotations

from collections.abc import Iterable

from orchd.core.state.agents import Agent, AgentId, Condition, Status, Wait
from orchd.core.state.state import State

WORKING = {Status.STARTING, Status.RUNNING, Status.STOPPING}
LIVING = WORKING | {Status.WAITING}


def working(state: State) -> int:
    """The number of agents that hold a slot."""
    return sum(1 for agent in state.agents.values() if agent.status in WORKING)


def living(state: State) -> list[Agent]:
    """The agents that hold a resident slot."""
    return [agent for agent in state.agents.values() if agent.status in LIVING]


def unfinished(state: State, ids: Iterable[AgentId]) -> list[Agent]:
    """The agents that are not over; an agent that is not in memory is over."""
    agents = [state.agents[agent_id] for agent_id in ids if agent_id in state.agents]
    return [agent for agent in agents if not agent.is_over]


def can_all_end(resident: int, claims: Iterable[int]) -> bool:
    """Whether the agents can get all their claims in some order, until none is left."""
    positive = [claim for claim in claims if claim > 0]
    while positive:
        free = resident - len(positive)
        able = [claim for claim in positive if claim <= free]
        if not able:
            return False
        positive.remove(able[0])
    return True


def is_safe(state: State, *more: int) -> bool:
    """Whether all that lives can end, also beside newcomers with the claims `more`."""
    return can_all_end(state.resident, [agent.claim for agent in living(state)] + list(more))


def is_true(state: State, wait: Wait) -> bool:
    """Whether what was waited for has come about."""
    remaining = unfinished(state, wait.targets)
    return not remaining or (wait.is_any and len(remaining) < len(wait.targets))


def is_over(state: State, wait: Wait, now: float) -> bool:
    """Whether the wait is to be answered: it is true, or its deadline has passed."""
    return is_true(state, wait) or (wait.deadline is not None and wait.deadline <= now)


def blocking(agent: Agent) -> list[Wait]:
    """The waits that keep it from working."""
    return [wait for wait in agent.waits.values() if not wait.is_background]


def is_returning(state: State, agent: Agent, now: float) -> bool:
    """Whether an agent that waits or is frozen lacks nothing but a slot."""
    if agent.status is not Status.WAITING or agent.is_paused:
        return False
    if agent.frozen is not None:
        return agent.lent_to is None or not unfinished(state, [agent.lent_to])
    return all(is_over(state, wait, now) for wait in blocking(agent))


def most_alive(state: State, depth: int) -> int:
    """How many agents may be alive before one more starts at `depth`: those below it find room for one at each level,
    where there are that many slots beside a full limit."""
    levels = state.guards.depth
    if state.resident < state.limit + levels - 1:
        return state.resident
    return state.resident - len(range(depth + 1, levels))


def below(state: State, agent: Agent) -> list[Agent]:
    """The agents that an agent directly needs."""
    if agent.status is Status.QUEUED:
        return [] if agent.has_started and agent.spec.conditions else unfinished(state, agent.spec.after)
    lent = [agent.lent_to] if agent.lent_to is not None else []
    return unfinished(state, [*lent, *(target for wait in agent.waits.values() for target in wait.targets)])


def is_satisfied(agent: Agent, blocker: Agent) -> bool:
    """Whether `blocker` ended as `agent`, which comes after it, requires."""
    if not blocker.is_over:
        return False
    condition = dict(agent.spec.conditions).get(blocker.id)
    if condition is Condition.ANY:
        return True
    if condition is Condition.FAILED:
        return blocker.status in {Status.FAILED, Status.TIMED_OUT, Status.LOST}
    return blocker.status is Status.COMPLETED


def all_below(state: State, agent: Agent) -> dict[AgentId, Agent]:
    """The agents that an agent needs, directly or not."""
    agents: dict[AgentId, Agent] = {}
    frontier = below(state, agent)
    while frontier:
        here = frontier.pop()
        if here.id not in agents:
            agents[here.id] = here
            frontier += below(state, here)
    return agents


def needs(state: State, agent: Agent) -> dict[AgentId, Agent]:
    """The unfinished agents that it may be polling for: all that were spawned below it, all that it waits for beside
    its work, and what these need."""
    agents: dict[AgentId, Agent] = {}
    frontier = [agent]
    while frontier:
        here = frontier.pop()
        children = [
            agent_below
            for agent_below in state.agents.values()
            if agent_below.parent == here.id and not agent_below.is_over
        ]
        for other in [*children, *below(state, here)]:
            if other.id not in agents and other is not agent:
                agents[other.id] = other
                frontier.append(other)
    return agents


def waits_for_itself(state: State, agent: Agent, pollers: set[AgentId]) -> bool:
    """Whether an agent that polls for its children polls for one that cannot end before it: no scheduler helps."""
    agent_ids: set[AgentId] = set()
    frontier = [agent]
    while frontier:
        here = frontier.pop()
        children = [child for child in state.agents.values() if child.parent == here.id and not child.is_over]
        for other in [*(children if here.id in pollers else []), *below(state, here)]:
            if other is agent:
                return True
            if other.id not in agent_ids:
                agent_ids.add(other.id)
                frontier.append(other)
    return False


def is_ready(state: State, agent: Agent, now: float) -> bool:
    """Whether it waits for nothing but a slot."""
    is_due = agent.ready_at is None or agent.ready_at <= now
    return agent.status is Status.QUEUED and is_due and not agent.is_paused and not below(state, agent)


def is_needed(state: State, agent: Agent) -> bool:
    """Whether anything that lives may be waiting for it."""
    alive = living(state)
    return any(agent.parent == member.id or agent.id in all_below(state, member) for member in alive)
