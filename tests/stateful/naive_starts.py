"""Agents that lack only a slot, and stalls: obviously right and slow, from the agents alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchd.core.state.agents import Agent, Status
from orchd.core.state.ready_queue import AGING_SECONDS
from tests.stateful import naive, naive_runs

if TYPE_CHECKING:
    from tests.stateful.daemon import Daemon

ROUNDING = 1e-6  # seconds: the time of one clock is told by another, which takes a sum and a difference


def is_held(world: Daemon, agent: Agent, slack: float = 0.0) -> bool:
    """Whether a full disk, a rate limit or a budget keeps it from starting."""
    is_limited = world.held.get(agent.spec.runner or "", 0.0) > world.now + slack
    return world.state.has_disk_pressure or is_limited or world.ledger.is_spent(agent, ())


def startable(world: Daemon, *, may_use_reserve: bool = True) -> list[Agent]:
    """The queued agents that may start if a slot is free, as far as is certain.

    `may_use_reserve`: no agent whose wait is over may take the slot. The room of a chain is used while none is at work.
    """
    state, now = world.state, world.now
    if state.is_paused or state.spawn_backoff_until > now:
        return []
    ready = [
        agent
        for agent in state.agents.values()
        if naive.is_ready(state, agent, now) and not is_held(world, agent, -ROUNDING)
    ]
    ready = [agent for agent in ready if naive_runs.has_room(state, agent)]
    alive, is_idle = len(naive.living(state)), may_use_reserve and not naive.working(state)
    ready = [agent for agent in ready if alive < (state.resident if is_idle else naive.most_alive(state, agent.depth))]
    unsafe = [agent for agent in ready if not naive.is_safe(state, agent.claim)]
    has_aged = any(now - agent.age > AGING_SECONDS for agent in unsafe)
    in_reserve = [agent for agent in ready if alive >= naive.most_alive(state, agent.depth)]
    must_be_needed = [
        agent for agent in ready if state.is_draining or (has_aged and agent.claim) or agent in in_reserve
    ]
    return [
        agent
        for agent in ready
        if agent not in unsafe and (agent not in must_be_needed or naive.is_needed(state, agent))
    ]


def returning(world: Daemon) -> list[Agent]:
    """The agents that may go back to work if a slot is free."""
    able = [agent for agent in naive.living(world.state) if naive.is_returning(world.state, agent, world.now)]
    return [agent for agent in able if naive_runs.has_room(world.state, agent)]


def is_stalled(world: Daemon) -> bool:
    """Whether each agent at work runs and needs an agent for which only a slot is missing; paused ones do not count."""
    state, now = world.state, world.now
    busy = [agent for agent in naive.living(state) if agent.status in naive.WORKING and not agent.is_paused]
    if not busy or state.is_paused or state.is_draining or state.spawn_backoff_until > now:
        return False
    for agent in busy:
        needed = naive.needs(state, agent).values()
        lacks_slot = [
            agent for agent in needed if naive.is_ready(state, agent, now) and not is_held(world, agent, ROUNDING)
        ]
        lacks_slot += [agent for agent in needed if naive.is_returning(state, agent, now)]
        if agent.status is not Status.RUNNING or not lacks_slot:
            return False
    return True
