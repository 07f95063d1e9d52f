"""The wait-for graph: an agent points at the agents it depends on, by a wait or by `after`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from graphlib import TopologicalSorter

from orchd.core.state.agents import Agent, AgentId, Status
from orchd.core.state.state import State
from orchd.dag import cycle_in


def waits_for(state: State, agent: Agent) -> list[AgentId]:
    """Return the unfinished agents that `agent` cannot continue without.

    All targets of a wait for any of them, also when a target has ended: it may be retried before the agent has a slot.
    """
    wanted: Iterable[AgentId] = (target for wait in agent.waits.values() for target in wait.targets)
    if agent.status is Status.QUEUED:
        wanted = agent.blockers
    elif agent.lent_to is not None:
        wanted = [*wanted, agent.lent_to]
    return [other.id for other in state.unfinished(wanted)]


def path_to(state: State, start: Iterable[AgentId], goal: AgentId) -> list[AgentId] | None:
    """Return a path from one of `start` to `goal` along the graph, or None."""
    trail: dict[AgentId, AgentId | None] = dict.fromkeys(start)
    frontier = list(trail)
    while frontier:
        here = frontier.pop()
        if here == goal:
            path = [here]
            while (step := trail[path[-1]]) is not None:
                path.append(step)
            return path[::-1]
        if (agent := state.agents.get(here)) is None or agent.is_over:
            continue
        for there in waits_for(state, agent):
            if there not in trail:
                trail[there] = here
                frontier.append(there)
    return None


def cycle_from(state: State, start: Iterable[AgentId]) -> Sequence[AgentId] | None:
    """Return a cycle among `start` and all that they depend on, in the form of `cycle_in`; None without one."""
    reached: dict[AgentId, list[AgentId]] = {}
    frontier = list(start)
    while frontier:
        here = frontier.pop()
        if here not in reached:
            agent = state.agents.get(here)
            reached[here] = [] if agent is None else waits_for(state, agent)
            frontier += reached[here]
    return cycle_in(reached)


def blockers_first(graph: Mapping[AgentId, Iterable[AgentId]]) -> Iterable[AgentId]:
    """Return the nodes of an acyclic `graph`, each behind all nodes that it comes after."""
    return TopologicalSorter(graph).static_order()


def claims_needed(state: State, waiter: Agent | None, targets: Iterable[AgentId]) -> dict[AgentId, int]:
    """Return the claims that must grow if `waiter` waits for `targets`: each to one more than the largest claim below.

    They may include its own claim and the claims of all direct and indirect waiters. `waiter` must not wait for itself.
    """
    if waiter is not None and waiter.claim > max((other.claim for other in _reached(state, targets)), default=-1):
        return {}  # it may wait for as many levels, and its own waiters may already for one more
    queued: dict[AgentId, list[Agent]] = {}
    living: dict[AgentId, list[AgentId]] = {}
    for agent in state.living.values():
        below = _reached(state, [*waits_for(state, agent), *(targets if agent is waiter else ())])
        queued[agent.id] = [other for other in below if other.status is Status.QUEUED]
        living[agent.id] = [other.id for other in below if other.status is not Status.QUEUED]
    needed: dict[AgentId, int] = {}
    for agent_id in blockers_first(living):
        below_it = [*(other.claim for other in queued[agent_id]), *(needed[other_id] for other_id in living[agent_id])]
        needed[agent_id] = max(state.living[agent_id].claim, 1 + max(below_it, default=-1))
    return {agent_id: claim for agent_id, claim in needed.items() if claim > state.living[agent_id].claim}


def _reached(state: State, start: Iterable[AgentId]) -> list[Agent]:
    """Return the agents that must end before all of `start` have ended. An agent alive has a claim of its own, so its
    dependencies are not followed."""
    seen: dict[AgentId, Agent] = {}
    frontier = list(state.unfinished(start))
    while frontier:
        agent = frontier.pop()
        if agent.id in seen:
            continue
        seen[agent.id] = agent
        if agent.status is Status.QUEUED:
            frontier.extend(state.unfinished(agent.blockers))
    return list(seen.values())


def needed(state: State) -> set[AgentId]:
    """Return the agents that an agent alive may be waiting for: its children, and all that its waits lead to."""
    awaited: set[AgentId] = set()
    frontier = list(state.living.values())
    while frontier:
        new = set(waits_for(state, frontier.pop())) - awaited
        awaited |= new
        frontier += [state.agents[agent_id] for agent_id in new]
    return awaited.union(*(state.children.get(agent_id, ()) for agent_id in state.living))
