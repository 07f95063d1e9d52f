"""Short reasons: one sentence that names what an agent waits for and what blocks it."""

from __future__ import annotations

from collections.abc import Sequence

from orchd.core.admission.blocking import Block, Rule, why_blocked
from orchd.core.admission.slots import claims, has_resident_slot, has_room, is_safe_with, resident_bound, working
from orchd.core.admission.wait_graph import waits_for
from orchd.core.admission.without_slot import is_returning, kept_waiting_by
from orchd.core.state.agents import Agent, AgentId, Condition, Frozen, Status
from orchd.core.state.indexes import line_of, ticket_of
from orchd.core.state.state import State

SHOWN = 3
WAITS_FOR_SLOT = "waits for a slot"
_AFTER = {
    Condition.COMPLETED: "after {}",
    Condition.ANY: "waits for {} to end",
    Condition.FAILED: "waits for {} to fail",
}
_FROZEN = {
    Frozen.WAIT_CUT: "the client of its wait has ended",
    Frozen.BUSY: "it used CPU time while it counted as waiting",
    Frozen.LENT: "the agent that ran in its slot has ended",
    Frozen.PAUSED: "its slot was released when it was paused",
}


def position(state: State, agent: Agent) -> int | None:
    """Return the agent's position among the agents that lack only a slot; None when it is not queued, or is paused.

    An agent that lacks something else too has the position that it would have without that.
    """
    is_queued = agent.status is Status.QUEUED and not agent.is_paused
    return state.queue.position(ticket_of(agent)) if is_queued else None


def reason(state: State, agent: Agent, now: float) -> str | None:
    """Return why `agent` is queued or what it waits for, or how it came to its status."""
    if agent.status is Status.QUEUED:
        return why_queued(state, agent, now).sentence
    if agent.is_paused:
        slot = "its slot was released" if agent.frozen is Frozen.PAUSED else "it holds no slot"
        slot = "it keeps its slot" if agent.status is Status.RUNNING else slot
        return f"{slot}; `orchctl resume {agent.id}` continues it"
    if agent.id in state.standing and (other := kept_waiting_by(state, agent.id)) is not None:
        if other.lent_to == agent.id:
            return (
                f"no progress in the slot lent by {other.id}: it may need a lock or pipe of {other.id}, which is frozen"
            )
        return f"no progress while {other.id} waits for a slot: it may need a lock or pipe of {other.id}"
    if agent.status is not Status.WAITING:
        return agent.reason
    if is_returning(state, agent):
        return WAITS_FOR_SLOT + (f"; frozen until then: {_FROZEN[agent.frozen]}" if agent.frozen else "")
    if agent.lent_to is not None:
        return f"lent its slot to {agent.lent_to}, which it depends on; `orchctl wait` releases a slot without delay"
    return f"waits for {listed(awaited(state, agent))}"


def awaited(state: State, agent: Agent) -> list[AgentId]:
    """Return the agents that a waiting agent waits for; none once it only waits for a slot."""
    return [] if is_returning(state, agent) else waits_for(state, agent)


def why_queued(state: State, agent: Agent, now: float) -> Block:
    """Return the first rule that blocks the start of the agent."""
    if agent.is_paused:
        return Block(Rule.HELD, f"it is paused; `orchctl resume {agent.id}` lets it start", agent.id)
    if blockers := list(state.unfinished(agent.blockers)):
        conditions = dict(agent.spec.conditions)
        by_condition: dict[Condition, list[str]] = {condition: [] for condition in Condition}
        for blocker in blockers:
            condition = conditions.get(blocker.id, Condition.COMPLETED)
            by_condition[condition].append(f"{blocker.id} ({blocker.shown_status})")
        parts = [_AFTER[condition].format(listed(ids)) for condition, ids in by_condition.items() if ids]
        return Block(Rule.AFTER, "; ".join(parts), agent.id)
    if agent.ready_at is not None and agent.ready_at > now:
        return Block(Rule.RETRY_DELAY, f"retries in {agent.ready_at - now:.0f} s: {agent.reason}")
    if state.is_draining:
        return Block(Rule.DAEMON_STOPPING, "the daemon is shutting down")
    if state.is_paused:
        return Block(Rule.PAUSED, "paused: no new agents will start until `orchctl resume`")
    if state.spawn_backoff_until > now:
        left = state.spawn_backoff_until - now
        return Block(Rule.MACHINE, f"the machine could not start a process; it retries in {left:.0f} s")
    return why_blocked(state, line_of(agent), now) or _why_no_slot(state, agent)


def _why_no_slot(state: State, agent: Agent) -> Block:
    """Return the rule by which an agent that lacks only a slot does not get one now."""
    if not has_room(state, line_of(agent)):
        return Block(Rule.MAX_PARALLEL, f"{line_of(agent).run} already runs as many members as its maxParallel allows")
    busy = working(state)
    if busy >= state.limit:
        over = f", {busy - state.limit} over the limit" if busy > state.limit else ""
        paused = slots_of_paused(state)
        over += f", {len(paused)} of them by paused agents: {listed(paused)}" if paused else ""
        stalled = "; every agent in a slot depends on a queued agent" if state.stalled_since is not None else ""
        return Block(Rule.LIMIT, f"{busy} of {state.limit} slots are in use{over}{stalled}")
    if not has_resident_slot(state, agent.depth):
        kept = state.resident - resident_bound(state, agent.depth)
        rest = f"; {kept} are reserved for child agents" if kept else ""
        return Block(Rule.RESIDENT, f"{len(state.living)} of {state.resident} resident slots are in use{rest}")
    if not is_safe_with(state, agent.claim):
        living = claims(state)
        sentence = (
            f"its nesting of {agent.claim} could deadlock at {state.resident} resident slots with the agents alive "
            f"(nesting {listed(living)})"
        )
        return Block(Rule.NESTING, sentence)
    if position(state, agent) == 1:
        return Block(Rule.ORDER, "it starts next")
    return Block(Rule.ORDER, "other agents are ahead of it in the queue")


def slots_of_paused(state: State) -> list[AgentId]:
    """Return the paused agents that keep their slots."""
    return [agent.id for agent in state.living.values() if agent.is_paused and agent.status is Status.RUNNING]


def listed(items: Sequence[object], most: int = SHOWN) -> str:
    """Return the first `most` items as text, and how many more there are."""
    first = ", ".join(str(item) for item in items[:most])
    return first if len(items) <= most else f"{first} and {len(items) - most} more"
