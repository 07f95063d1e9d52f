"""The part of `apply` for agents without a slot: waits, withheld replies, freezing and pausing."""

# ruff: noqa: ARG001 - every change takes the same arguments

from __future__ import annotations

from dataclasses import replace

from orchd.core.state.agents import Agent, Frozen, Instant
from orchd.core.state.events import (
    AgentFrozen,
    AgentPaused,
    AgentResumed,
    AgentReturned,
    AgentThawed,
    SlotAwaited,
    WaitBegan,
    WaitEnded,
    WaitExpired,
    WaitReopened,
    WorkSeen,
)
from orchd.core.state.state import State


def wait_began(state: State, agent: Agent, event: WaitBegan, at: Instant) -> None:
    """Block the agent in this wait; a frozen agent whose request was already on its way is then blocked, not frozen."""
    unfreeze(agent, at)
    agent.waits[event.wait.request] = event.wait


def wait_ended(state: State, agent: Agent, event: WaitEnded, at: Instant) -> None:
    del agent.waits[event.request]
    agent.heard = at.mono  # it could not be heard while it was blocked


def wait_expired(state: State, agent: Agent, event: WaitExpired, at: Instant) -> None:
    agent.waits[event.request] = replace(agent.waits[event.request], is_expired=True)


def slot_awaited(state: State, agent: Agent, event: SlotAwaited, at: Instant) -> None:
    agent.held_since = at.mono


def wait_reopened(state: State, agent: Agent, event: WaitReopened, at: Instant) -> None:
    unfreeze(agent, at)


def returned(state: State, agent: Agent, event: AgentReturned, at: Instant) -> None:
    state.is_new_next = agent.waits.pop(event.request).is_expired
    agent.heard = at.mono
    unfreeze(agent, at)


def work_seen(state: State, agent: Agent, event: WorkSeen, at: Instant) -> None:
    _to_background(agent)
    unfreeze(agent, at)


def frozen(state: State, agent: Agent, event: AgentFrozen, at: Instant) -> None:
    agent.frozen, agent.lent_to = event.cause, event.lent_to
    if event.request is not None:
        del agent.waits[event.request]
    _to_background(agent)
    if agent.held_since is None:
        agent.held_since = at.mono


def thawed(state: State, agent: Agent, event: AgentThawed, at: Instant) -> None:
    state.is_new_next = agent.frozen in (Frozen.WAIT_CUT, Frozen.BUSY)
    agent.heard = at.mono
    unfreeze(agent, at)


def _to_background(agent: Agent) -> None:
    for wait in agent.waits.values():
        agent.waits[wait.request] = replace(wait, is_background=True)


def unfreeze(agent: Agent, at: Instant) -> None:
    """Clear `frozen`. Time spent only lacking a slot does not count towards timeouts; nor does time spent paused."""
    _count_held(agent, at)
    agent.frozen = agent.lent_to = None
    agent.held_since = at.mono if agent.is_suspended else None


def paused(state: State, agent: Agent, event: AgentPaused, at: Instant) -> None:
    agent.is_paused = True
    if agent.started is not None and agent.held_since is None:
        agent.held_since = at.mono


def resumed(state: State, agent: Agent, event: AgentResumed, at: Instant) -> None:
    """Clear the pause. A frozen agent lacks a slot from now on, and its silence is counted anew."""
    agent.is_paused = False
    if agent.started is not None:
        agent.heard = at.mono
    _count_held(agent, at)
    agent.held_since = at.mono if agent.frozen is not None else None


def _count_held(agent: Agent, at: Instant) -> None:
    if agent.held_since is not None and agent.started is not None:
        agent.started += at.mono - agent.held_since
