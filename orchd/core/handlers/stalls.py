"""Stalls: every agent at work depends on an agent that waits for a slot.

No wait-for graph shows a parent that polls for its children instead of waiting for them. What the state does show is
that each agent at work has an agent below it which is queued, or whose wait has ended, and which only lacks a slot.
Such a parent may still be working, so nothing is done for a while; then the agent that has been quiet longest lends its
slot to an agent that it depends on: its own processes are frozen until that agent has ended.

An agent in a lent slot may need what its lender holds, a lock or the other end of a pipe. Then it never makes progress,
which is announced like a stall that cannot be broken. So is it when no agent at work makes progress and another agent,
whose wait has ended, waits for a slot: it may hold what they need.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from orchd.core.admission.blocking import why_blocked
from orchd.core.admission.slots import has_resident_slot, has_room, has_slot, is_safe_promoted
from orchd.core.admission.wait_graph import claims_needed, path_to, waits_for
from orchd.core.admission.without_slot import is_returning, kept_waiting_by
from orchd.core.handlers import returning
from orchd.core.handlers.admit import admit
from orchd.core.state.agents import WORKING, Agent, Frozen, Status, number_of
from orchd.core.state.events import AgentPromoted, StallBegan, StallEnded
from orchd.core.state.indexes import line_of
from orchd.core.state.state import State
from orchd.core.turn import Turn

STANDS_STILL = (
    "no progress while another agent waits for a slot: they may need a lock or pipe of that agent; "
    "raise the limit by one with `orchctl limit`, so that both can run"
)
NO_ROOM = "no resident slot is free for the agents that they wait for; raise the number with `orchctl limit --resident`"


def look(turn: Turn) -> None:
    """Detect the begin and end of a stall, and break it when it has lasted long enough."""
    state = turn.state
    if turn.is_cut_short or not is_stalled(state, turn.now):
        state.stalled_since = None
        _announce_standing(turn)
        return
    if state.stalled_since is None:
        if state.standing and state.is_stall_announced:
            turn.record(StallEnded())  # that stall could not be broken; the stall that begins now may be
        state.stalled_since = turn.now
    if turn.now < state.stalled_since + state.stall_after:
        return
    # A resident slot that is kept free for chains is lent only where there is no other way.
    quiet_first = sorted(at_work(state), key=lambda agent: (agent.heard or 0.0, agent.number))
    pairs = [(lender, agent) for lender in quiet_first for agent in _lacking_a_slot(state, lender, turn.now)]
    is_lent = any(
        _lend(turn, lender, borrower, may_use_reserve=may_use_reserve)
        for may_use_reserve in (False, True)
        for lender, borrower in pairs
    )
    if is_lent:
        state.stalled_since = turn.now if is_stalled(state, turn.now) else None
        if state.stalled_since is None:
            _announce_standing(turn)  # an announced stall that is broken in the end has ended
    elif not state.is_stall_announced:
        turn.record(StallBegan(tuple(agent.id for agent in at_work(state)), NO_ROOM))


def _announce_standing(turn: Turn) -> None:
    """Announce agents without progress while another agent waits for a slot, once until there are none."""
    state = turn.state
    if state.standing:
        state.standing = frozenset(agent for agent in state.standing if kept_waiting_by(state, agent) is not None)
    if state.standing and not state.is_stall_announced:
        turn.record(StallBegan(tuple(sorted(state.standing, key=number_of)), STANDS_STILL))
    elif state.is_stall_announced and not state.standing:
        turn.record(StallEnded())


def due_at(state: State) -> float | None:
    """Return when a stall has lasted long enough to be broken; None without a stall, and when it cannot be broken."""
    if state.stalled_since is None or state.is_stall_announced:
        return None
    return state.stalled_since + state.stall_after


def is_stalled(state: State, now: float) -> bool:
    """Whether every agent at work is running and depends on an agent which only a slot is missing for.

    A paused agent that keeps its slot does not count: it gives its slot back to no other before it is resumed.

    Where a slot is free all the same, no resident slot is left for what they depend on, or only a reserved slot.
    """
    if state.is_paused or state.is_draining or state.spawn_backoff_until > now or not (len(state.queue) or state.due):
        return False
    workers = (agent for agent in state.living.values() if agent.status in WORKING and not agent.is_paused)
    first = next(workers, None)  # most often it depends on no other agent, and nothing else is looked at
    return first is not None and all(
        agent.status is Status.RUNNING and any(True for _ in _lacking_a_slot(state, agent, now))
        for agent in chain((first,), workers)
    )


def at_work(state: State) -> list[Agent]:
    """Return the agents that run and are not paused."""
    return [agent for agent in state.living.values() if agent.status is Status.RUNNING and not agent.is_paused]


def _lacking_a_slot(state: State, agent: Agent, now: float) -> Iterator[Agent]:
    """Yield the agents that `agent` depends on and that only a missing slot keeps from continuing."""
    for other in _needed_by(state, agent):
        if other.status is Status.QUEUED:
            is_delayed = other.ready_at is not None and other.ready_at > now
            is_held = other.is_paused or is_delayed or any(state.unfinished(other.blockers))
            if not is_held and why_blocked(state, line_of(other), now) is None:
                yield other
        elif is_returning(state, other):
            yield other


def _needed_by(state: State, agent: Agent) -> Iterator[Agent]:
    """Yield the unfinished descendants of `agent`, the agents that it waits for in the background, and all agents that
    these depend on."""
    seen = {agent.id}
    frontier = [agent]
    while frontier:
        here = frontier.pop()
        wanted = [*sorted(state.children.get(here.id, ())), *waits_for(state, here)]
        for other in state.unfinished(wanted):
            if other.id not in seen:
                seen.add(other.id)
                frontier.append(other)
                yield other


def _lend(turn: Turn, lender: Agent, borrower: Agent, *, may_use_reserve: bool) -> bool:
    """Give `borrower` a free slot, or freeze `lender` and give its slot. Returns False if nothing was changed.

    Nothing is changed unless all agents alive can still end. While more slots are in use than the limit allows,
    `lender` is frozen and `borrower` gets no slot yet.
    """
    state, line, is_new = turn.state, line_of(borrower), borrower.status is Status.QUEUED
    has_place = len(state.living) < state.resident if may_use_reserve else has_resident_slot(state, line.depth)
    if (is_new and not has_place) or not has_room(state, line) or path_to(state, [borrower.id], lender.id) is not None:
        return False
    needed = claims_needed(state, lender, [borrower.id])
    if not is_safe_promoted(state, needed, borrower.claim if is_new else 0):
        return False
    for agent_id, claim in needed.items():
        turn.record(AgentPromoted(agent_id, claim))
    if not has_slot(state):
        returning.freeze(turn, lender, Frozen.LENT, lent_to=borrower.id)
    if has_slot(state):
        (admit if is_new else returning.bring_back)(turn, borrower)
    return True
