"""The start of a wait: an agent is blocked until others have ended, or refused at once."""

from __future__ import annotations

from collections.abc import Mapping

from orchd.core.admission.slots import is_safe_promoted
from orchd.core.admission.wait_graph import claims_needed, path_to
from orchd.core.effects import Thaw, WatchCaller
from orchd.core.inputs import BeginWait
from orchd.core.state.agents import Agent, AgentId, Status, Wait
from orchd.core.state.events import AgentPromoted, WaitBegan
from orchd.core.state.indexes import is_satisfied
from orchd.core.turn import Turn


def begin_wait(turn: Turn, given: BeginWait) -> None:
    """Block the agent, if everything that it waits for can end beside all agents that are alive."""
    agent = turn.state.living.get(given.agent)
    if agent is None or agent.status is Status.STOPPING:
        turn.refuse(given.request, "stopping", f"{given.agent} is being stopped and cannot wait")
        return
    if given.request in agent.waits:
        turn.do(WatchCaller(agent.id, given.request))
        return
    deadline = None if given.timeout is None else turn.now + given.timeout
    wait = Wait(given.request, given.targets, given.is_any, deadline, given.caller, given.caller_started)
    if is_satisfied(turn.state, wait) or given.timeout == 0:
        done = is_satisfied(turn.state, wait)
        turn.answer(given.request, *given.targets, timed_out=not done)
        return
    _park(turn, agent, wait)


def _park(turn: Turn, agent: Agent, wait: Wait) -> None:
    """Block the agent in this wait, or refuse a wait that would never end."""
    state = turn.state
    unfinished = [target.id for target in state.unfinished(wait.targets)]
    if (path := path_to(state, unfinished, agent.id)) is not None:
        path = [agent.id, *path]
        turn.refuse(
            wait.request,
            "cycle",
            f"{agent.id} would wait for itself: {' -> '.join(path)}; wait for other agents only",
            {"path": path},
        )
        return
    needed = claims_needed(state, agent, unfinished)
    if not is_safe_promoted(state, needed):
        holders = {other.id: other.claim for other in state.living.values() if other.claim > 0 and other is not agent}
        turn.refuse(
            wait.request,
            "would-deadlock",
            f"this wait could deadlock: {agent.id} would need {needed[agent.id]} more of {state.resident} resident "
            f"slots, and {len(holders)} other agents have reserved slots. End it and collect the results later, "
            f"spawn it with --nesting {needed[agent.id]} to reserve its slots, or raise the number with "
            "`orchctl limit --resident`",
            {"needed": dict(needed), "holders": holders, "resident": state.resident},
        )
        return
    promote(turn, needed)
    # The request of a frozen agent was on its way; from now on its client is blocked. A paused agent stays frozen.
    if agent.frozen is not None and not agent.is_paused:
        turn.do(Thaw(agent.id, agent.attempt))
    turn.record(WaitBegan(agent.id, wait))
    turn.do(WatchCaller(agent.id, wait.request))


def promote(turn: Turn, needed: Mapping[AgentId, int]) -> None:
    """Raise the claims of agents alive to the levels that they need."""
    for agent_id, claim in needed.items():
        turn.record(AgentPromoted(agent_id, claim))
