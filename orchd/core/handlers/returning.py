"""The return of agents to work: their wait has ended, and its reply is withheld until a slot is free.

An agent that waits holds no slot, so the end of its wait alone does not let it work again. That is so however the wait
ends: its targets have ended, its deadline has passed, or its client was killed. The reply keeps a blocked client
blocked; where no client is blocked any more, the agent's processes are frozen.
"""

from __future__ import annotations

from orchd.core.admission.slots import has_room, has_slot
from orchd.core.admission.without_slot import is_returning
from orchd.core.effects import Freeze, Thaw
from orchd.core.state.agents import Agent, AgentId, Frozen, RequestId, Wait
from orchd.core.state.events import (
    AgentFrozen,
    AgentReturned,
    AgentThawed,
    SlotAwaited,
    WaitEnded,
    WaitExpired,
    WorkSeen,
)
from orchd.core.state.indexes import is_over, line_of, ticket_of
from orchd.core.state.state import State
from orchd.core.turn import Turn


def end_waits(turn: Turn) -> None:
    """Record the deadlines that have passed, and answer each wait whose end returns no agent to work."""
    for agent in list(turn.state.expiring.values()):
        for wait in list(agent.waits.values()):
            is_late = wait.deadline is not None and wait.deadline <= turn.now
            if is_late and not is_over(turn.state, wait):
                if wait.is_background:
                    turn.record(WaitEnded(agent.id, wait.request))
                    turn.answer(wait.request, *wait.targets, timed_out=True)
                else:
                    turn.record(WaitExpired(agent.id, wait.request))
    for agent in sorted(turn.state.due.values(), key=ticket_of):
        for wait in [wait for wait in agent.waits.values() if is_over(turn.state, wait)]:
            if wait.is_background or _blocks_beside(agent, wait):
                turn.record(WaitEnded(agent.id, wait.request))
                _answer(turn, wait)


def _blocks_beside(agent: Agent, wait: Wait) -> bool:
    """Whether the agent is blocked in another wait too, and so keeps waiting."""
    return any(other is not wait and not other.is_background for other in agent.waits.values())


def _answer(turn: Turn, wait: Wait) -> None:
    turn.answer(wait.request, *wait.targets, timed_out=wait.is_expired)


def next_to_return(state: State) -> Agent | None:
    """Return the agent that goes back to work now: it has waited for a slot longest, and a slot is free for it."""
    is_free = has_slot(state)
    agents = [agent for agent in state.due.values() if is_returning(state, agent)]
    agents.sort(key=lambda agent: (float("inf") if agent.held_since is None else agent.held_since, ticket_of(agent)))
    for agent in agents:
        # Only a strict limit keeps an agent from running whose wait was cut short.
        may_overdraw = not state.is_strict and (
            agent.frozen in (Frozen.WAIT_CUT, Frozen.BUSY) or any(wait.is_expired for wait in agent.waits.values())
        )
        if may_overdraw or (is_free and has_room(state, line_of(agent))):
            return agent
    return None


def idle_lender(state: State) -> Agent | None:
    """Return a lender that may continue in a free slot that no other can take: its borrower may need what it holds."""
    if not has_slot(state) or not state.waiting:
        return None
    lenders = (agent for agent in state.waiting.values() if agent.lent_to is not None)
    lenders = (agent for agent in lenders if not agent.is_paused)
    return next((agent for agent in lenders if has_room(state, line_of(agent))), None)


def bring_back(turn: Turn, agent: Agent) -> None:
    """Let `agent` work again in a slot: its reply is sent, or its processes are thawed."""
    if agent.frozen is not None:
        turn.record(AgentThawed(agent.id, agent.attempt))
        turn.do(Thaw(agent.id, agent.attempt))
        return
    wait = next(wait for wait in agent.waits.values() if not wait.is_background)
    turn.record(AgentReturned(agent.id, wait.request))
    _answer(turn, wait)


def withhold(turn: Turn) -> None:
    """Record since when agents lack only a slot: they return in this order, and the time does not count towards
    timeouts."""
    for agent in list(turn.state.due.values()):
        if agent.held_since is None and is_returning(turn.state, agent):
            turn.record(SlotAwaited(agent.id))


def caller_gone(turn: Turn, agent: Agent, request: RequestId) -> None:
    """Unblock an agent whose client of this wait has ended."""
    wait = agent.waits[request]
    if wait.is_background or agent.frozen is not None or _blocks_beside(agent, wait):
        turn.record(WaitEnded(agent.id, request))
    elif _may_work(turn.state, agent):
        turn.record(AgentReturned(agent.id, request))
    else:
        freeze(turn, agent, Frozen.WAIT_CUT, request=request)


def work_seen(turn: Turn, agent: Agent) -> None:
    """Count an agent that works beside its wait as working: it takes a slot, or is frozen."""
    if _may_work(turn.state, agent):
        turn.record(WorkSeen(agent.id))
    else:
        freeze(turn, agent, Frozen.BUSY)


def _may_work(state: State, agent: Agent) -> bool:
    if agent.is_paused:
        return False
    return not state.is_strict or (has_slot(state) and has_room(state, line_of(agent)))


def freeze(
    turn: Turn, agent: Agent, cause: Frozen, *, request: RequestId | None = None, lent_to: AgentId | None = None
) -> None:
    """Freeze the agent's processes until it has a slot."""
    turn.record(AgentFrozen(agent.id, agent.attempt, cause, request, lent_to))
    turn.do(Freeze(agent.id, agent.attempt))
