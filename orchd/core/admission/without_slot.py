"""Agents that lack nothing but a slot, and the agents that keep them waiting."""

from __future__ import annotations

from orchd.core.admission.slots import has_slot
from orchd.core.state.agents import Agent, AgentId, Status
from orchd.core.state.indexes import is_over, is_to_thaw
from orchd.core.state.state import State


def is_returning(state: State, agent: Agent) -> bool:
    """Whether `agent` waits, and lacks nothing but a slot."""
    if agent.status is not Status.WAITING or agent.is_paused:
        return False
    if agent.frozen is not None:
        return is_to_thaw(state, agent)
    blocking = [wait for wait in agent.waits.values() if not wait.is_background]
    return len(blocking) == 1 and is_over(state, blocking[0])


def lender_of(state: State, borrower: AgentId) -> Agent | None:
    """Return the frozen agent in whose slot `borrower` works; None while it does not work in a lent slot."""
    agent = state.living.get(borrower)
    if agent is None or agent.status is not Status.RUNNING or agent.is_paused:
        return None
    return next((lender for lender in state.waiting.values() if lender.lent_to == borrower), None)


def returning_without_slot(state: State) -> Agent | None:
    """Return the first agent that only waits for a slot while none is free; None without one."""
    if has_slot(state):
        return None
    return next((agent for agent in state.due.values() if is_returning(state, agent)), None)


def kept_waiting_by(state: State, agent: AgentId) -> Agent | None:
    """Return an agent that cannot continue while `agent` works: its lender, or else an agent that waits for a slot."""
    at_work = state.living.get(agent)
    if at_work is None or at_work.status is not Status.RUNNING or at_work.is_paused:
        return None
    return lender_of(state, agent) or returning_without_slot(state)
