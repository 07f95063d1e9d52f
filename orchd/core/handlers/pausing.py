"""Pausing agents: a queued agent is held in the queue, and the process tree of any other is frozen.

A paused agent keeps its slot unless the request releases it: its processes continue at once when it is resumed. Without
a slot it is frozen like an agent whose wait was cut short, and waits for a slot after it is resumed.
"""

from __future__ import annotations

from collections.abc import Iterable

from orchd.core.effects import Freeze, Thaw
from orchd.core.handlers import returning
from orchd.core.inputs import PauseAgents, ResumeAgents
from orchd.core.state.agents import Agent, AgentId, Frozen, Status
from orchd.core.state.events import AgentPaused, AgentResumed
from orchd.core.state.state import State
from orchd.core.turn import Turn


def pause_agents(turn: Turn, given: PauseAgents) -> None:
    """Pause agents. Idempotent; a slot that was kept can be released by a later request."""
    if (wrong := _why_refused(turn.state, given.ids, "paused")) is not None:
        turn.refuse(given.request, "cannot-pause", wrong)
        return
    for agent in _agents_of(turn.state, given.ids):
        if not agent.is_paused:
            turn.record(AgentPaused(agent.id))
            if agent.status is not Status.QUEUED:
                turn.do(Freeze(agent.id, agent.attempt))
        if given.is_slot_released and agent.status is Status.RUNNING:
            returning.freeze(turn, agent, Frozen.PAUSED)
    turn.answer(given.request, *given.ids)


def resume_agents(turn: Turn, given: ResumeAgents) -> None:
    """Resume agents. An agent that is not paused stays as it is."""
    if (wrong := _why_refused(turn.state, given.ids, "resumed")) is not None:
        turn.refuse(given.request, "cannot-resume", wrong)
        return
    for agent in _agents_of(turn.state, given.ids):
        if not agent.is_paused:
            continue
        turn.record(AgentResumed(agent.id))
        if agent.status is not Status.QUEUED and agent.frozen is None:
            turn.do(Thaw(agent.id, agent.attempt))
    turn.answer(given.request, *given.ids)


def _agents_of(state: State, ids: Iterable[AgentId]) -> list[Agent]:
    return [state.agents[agent_id] for agent_id in dict.fromkeys(ids)]


def _why_refused(state: State, ids: Iterable[AgentId], what: str) -> str | None:
    """Return why the request is refused: an agent has ended or is being stopped."""
    for agent in _agents_of(state, ids):
        if agent.is_over:
            return f"{agent.id} is {agent.status.value} and cannot be {what}; only unfinished agents can"
        if agent.status is Status.STOPPING:
            return f"{agent.id} is being stopped and cannot be {what}; wait for its end with `orchctl wait {agent.id}`"
    return None
