"""The limit: which agents hold slots, and whether one more may start.

Two numbers bound two counts, both of indexes that follow from the agents' statuses. `limit` bounds agents that work,
`resident` agents that are alive. Agents that wait for others can starve each other of resident slots, so each carries a
claim: how many levels of agents it may still wait for. Admission is Dijkstra's banker's algorithm for one resource (EWD
623): with F slots free once the agents without a claim are gone (they wait for no other and always end), the state is
safe iff the claims, smallest first, can be met one after the other, each giving its own slot back when it is done.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Mapping

from orchd.core.state.agents import WORKING, Agent, AgentId
from orchd.core.state.ready_queue import QueueKey
from orchd.core.state.runs import RunId
from orchd.core.state.state import State
from orchd.dag import around, groups_around


def working(state: State) -> int:
    """Return the number of agents that hold a slot."""
    return len(state.living) - len(state.waiting)


def has_room(state: State, line: QueueKey) -> bool:
    """Whether one more member of a group of a run may work; always true of agents outside runs.

    `max_parallel` counts as the limit does, agents that work. A nested group counts as one in the group around it.
    """
    run = state.runs.get(RunId(line.run))
    if run is None or all(group.max_parallel is None for group in run.groups.values()):
        return True
    busy: set[str] = set()
    mates = (state.living.get(AgentId(mate.agent)) for mate in run.members.values())
    # all living agents, or the living members of the run: whichever are fewer to look at
    living: Iterable[Agent | None] = state.living.values() if len(state.living) <= len(run.members) else mates
    for agent in living:
        if agent is None:
            continue
        if (member := agent.spec.member) is not None and member.run == line.run and agent.status in WORKING:
            busy |= {member.path, *groups_around(member.path)}
    for group in (line.group, *groups_around(line.group)):
        most = run.groups[group].max_parallel
        if most is not None and sum(around(node) == group for node in busy if node) >= most:
            return False
        if group in busy:
            return True
    return True


def overdrawn(state: State) -> int:
    """Return the working slots beyond the limit: after the limit was lowered, or of agents whose wait was cut short."""
    return max(0, working(state) - state.limit)


def has_slot(state: State) -> bool:
    """Whether one more agent may work."""
    return working(state) < state.limit


def resident_bound(state: State, depth: int) -> int:
    """Return how many agents may be alive for another agent at `depth` to start.

    An agent leaves room for a whole chain of agents below it: below every agent alive there is then always room for
    another, whatever waits for it and however. Where the resident slots are too few for that beside a full limit,
    keeping some of them free could leave slots idle, and the claims alone decide.
    """
    below = state.guards.depth - 1 - depth
    if below <= 0 or state.resident < state.limit + state.guards.depth - 1:
        return state.resident
    return state.resident - below


def has_resident_slot(state: State, depth: int) -> bool:
    """Whether one more agent at `depth` may be alive."""
    return len(state.living) < resident_bound(state, depth)


def claims(state: State) -> list[int]:
    """Return the claims above zero of all agents that are alive, smallest first."""
    return sorted(agent.claim for agent in state.living.values() if agent.claim > 0)


def is_safe(resident: int, ascending: Iterable[int]) -> bool:
    """Whether agents with these claims (ascending, all above zero) can all end, one after the other."""
    claimed = list(ascending)
    free = resident - len(claimed)
    return all(free + index >= claim for index, claim in enumerate(claimed))


def is_safe_with(state: State, claim: int) -> bool:
    """Whether a new agent with `claim` keeps the state safe."""
    if claim == 0:
        return True
    claimed = claims(state)
    insort(claimed, claim)
    return is_safe(state.resident, claimed)


def is_safe_promoted(state: State, needed: Mapping[AgentId, int], newcomer: int = 0) -> bool:
    """Whether all agents alive can still end with the claims `needed`, beside a new agent with claim `newcomer`.

    With their present claims they always can.
    """
    if not needed and not newcomer:
        return True
    claimed = [newcomer, *(needed.get(agent.id, agent.claim) for agent in state.living.values())]
    return is_safe(state.resident, sorted(claim for claim in claimed if claim > 0))


def smallest_safe_resident(ascending: Iterable[int]) -> int:
    """Return the fewest resident slots with which agents with these claims (ascending) can all end."""
    claimed = list(ascending)
    return max((len(claimed) - index + claim for index, claim in enumerate(claimed)), default=1)
