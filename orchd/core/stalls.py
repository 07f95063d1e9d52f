"""Stalls: no slot is free, and every agent at work depends on an agent that waits for one.

No wait-for graph shows a parent that polls for its children instead of waiting for them. What the state does show is a
full limit under which each agent at work has a queued agent below it. Such a parent may still be working, so nothing is
done for a while; then the agent that has been quiet longest lends its slot to an agent that it depends on: its own
processes are frozen until that agent has ended.
"""

from __future__ import annotations

from collections.abc import Iterator

from orchd.core import returning
from orchd.core.admit import admit
from orchd.core.facts import AgentPromoted, StallBegan, StallEnded
from orchd.core.graph import claims_needed, waits_for
from orchd.core.holds import why_held
from orchd.core.index import line_of
from orchd.core.model import WORKING, Agent, Frozen, State, Status
from orchd.core.places import has_resident_place, has_room, has_working_place, is_safe_promoted
from orchd.core.turn import Turn

NO_ROOM = "no resident slot is left for what they wait for; `orchctl limit --resident` allows more"


def look(turn: Turn) -> None:
    """See a stall begin and end, and break it when it has lasted long enough."""
    state = turn.state
    if not is_stalled(state, turn.now):
        state.stalled_since = None
        if state.is_stall_announced:
            turn.record(StallEnded())
        return
    if state.stalled_since is None:
        state.stalled_since = turn.now
    if turn.now < state.stalled_since + state.stall_after:
        return
    quiet_first = sorted(_at_work(state), key=lambda agent: (agent.heard or 0.0, agent.number))
    pairs = ((lender, borrower) for lender in quiet_first for borrower in _startable(state, lender, turn.now))
    if any(_lend(turn, lender, borrower) for lender, borrower in pairs):
        state.stalled_since = None
    elif not state.is_stall_announced:
        turn.record(StallBegan(tuple(agent.id for agent in _at_work(state)), NO_ROOM))


def due_at(state: State) -> float | None:
    """When a stall has lasted long enough to be broken; None without a stall, and when it cannot be broken."""
    if state.stalled_since is None or state.is_stall_announced:
        return None
    return state.stalled_since + state.stall_after


def is_stalled(state: State, now: float) -> bool:
    """Whether every slot is held by a running agent that depends on an agent which only a slot is missing for."""
    if has_working_place(state) or not len(state.queue):
        return False
    if state.is_paused or state.is_draining or state.held_until > now:
        return False
    workers = (agent for agent in state.living.values() if agent.status in WORKING)
    return all(agent.status is Status.RUNNING and any(True for _ in _startable(state, agent, now)) for agent in workers)


def _at_work(state: State) -> list[Agent]:
    return [agent for agent in state.living.values() if agent.status is Status.RUNNING]


def _startable(state: State, agent: Agent, now: float) -> Iterator[Agent]:
    """Queued agents that `agent` depends on and that nothing but a slot keeps from starting."""
    for other in _needed_by(state, agent):
        if other.status is Status.QUEUED and _waits_only_for_a_slot(state, other, now):
            yield other


def _needed_by(state: State, agent: Agent) -> Iterator[Agent]:
    """Its unfinished descendants, and all that these cannot go on without."""
    seen = {agent.id}
    frontier = [agent]
    while frontier:
        here = frontier.pop()
        wanted = [*sorted(state.children.get(here.id, ())), *([] if here is agent else waits_for(state, here))]
        for other in state.unfinished(wanted):
            if other.id not in seen:
                seen.add(other.id)
                frontier.append(other)
                yield other


def _waits_only_for_a_slot(state: State, agent: Agent, now: float) -> bool:
    if any(state.unfinished(agent.spec.after)) or (agent.ready_at is not None and agent.ready_at > now):
        return False
    return why_held(state, line_of(agent), now) is None


def _lend(turn: Turn, lender: Agent, borrower: Agent) -> bool:
    """Whether the slot of `lender` was given to `borrower`: only if all that is alive can still end."""
    state = turn.state
    line = line_of(borrower)
    if not has_resident_place(state, line.depth) or not has_room(state, line):
        return False
    needed = claims_needed(state, lender, [borrower.id])
    if not is_safe_promoted(state, needed, borrower.claim):
        return False
    for one, claim in needed.items():
        turn.record(AgentPromoted(one, claim))
    returning.freeze(turn, lender, Frozen.LENT, lent_to=borrower.id)
    admit(turn, borrower)
    return True
