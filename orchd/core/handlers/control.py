"""Handlers of requests that control agents and the daemon: cancel, retry, pause, the limit, drain."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from orchd.core.admission.slots import claims, is_safe, is_safe_promoted, smallest_safe_resident
from orchd.core.admission.wait_graph import blockers_first, claims_needed, cycle_from
from orchd.core.admission.without_slot import is_returning
from orchd.core.handlers.schedule import cancel as cancel_agent
from orchd.core.handlers.spawn import skip_if_hopeless
from orchd.core.handlers.wait import promote
from orchd.core.inputs import Cancel, Drain, Pause, Resume, Retry, SetLimit
from orchd.core.state.agents import OVER, Agent, Status
from orchd.core.state.events import (
    AdmissionsPaused,
    AdmissionsResumed,
    AgentRevived,
    DrainBegan,
    LimitChanged,
    RunResumed,
    WaitReopened,
)
from orchd.core.state.state import State
from orchd.core.turn import Turn


def cancel(turn: Turn, given: Cancel) -> None:
    """Cancel agents and their descendants. Finished agents stay as they are; unfinished descendants of them are
    cancelled."""
    for agent in turn.state.unfinished(given.ids):
        cancel_agent(turn, agent, "cancelled")
    named = set(given.ids)
    below = [agent.id for agent in turn.state.agents.values() if not named.isdisjoint(agent.ancestors)]
    for agent in turn.state.unfinished(below):
        nearest = next(ancestor for ancestor in reversed(agent.ancestors) if ancestor in named)
        cancel_agent(turn, agent, f"{nearest}, which it belongs to, was cancelled", nearest)
    turn.answer(given.request, *given.ids)


def retry(turn: Turn, given: Retry) -> None:
    """Queue agents again. The end of their parent does not matter any more; their dependencies do."""
    agents = {agent_id: turn.state.agents[agent_id] for agent_id in given.ids}
    if (wrong := _wrong_retry(turn.state, agents.values())) is not None:
        turn.refuse(given.request, *wrong)
        return
    revived = _revived(turn.state, agents.values())
    needed = claims_needed(revived, None, ())
    if not is_safe_promoted(revived, needed):
        waiting = f"agents that wait for them could deadlock: {', '.join(needed)}; retry when these have ended"
        turn.refuse(given.request, "would-deadlock", waiting)
        return
    promote(turn, needed)
    environments = dict(zip(given.ids, given.environments, strict=True))
    for agent_id in blockers_first({agent.id: agent.spec.after for agent in agents.values()}):
        if agent_id not in agents:
            continue
        member = agents[agent_id].spec.member
        if member is not None and turn.state.runs[member.run].is_over:
            turn.record(RunResumed(member.run))
        turn.record(AgentRevived(agent_id, environments[agent_id], given.attributes, given.is_resumed))
        skip_if_hopeless(turn, agent_id)
    for waiter_id in sorted({waiter for agent_id in given.ids for waiter in turn.state.awaited.get(agent_id, ())}):
        waiter = turn.state.living[waiter_id]
        is_withheld = waiter.held_since is not None and waiter.frozen is None and not waiter.is_paused
        if is_withheld and not is_returning(turn.state, waiter):
            turn.record(WaitReopened(waiter.id))
    turn.answer(given.request, *given.ids)


def _wrong_retry(state: State, agents: Iterable[Agent]) -> tuple[str, str] | None:
    """Return the code and message with which a retry is refused; None when it may be done."""
    for agent in agents:
        if agent.status not in OVER - {Status.COMPLETED}:
            now = "completed" if agent.status is Status.COMPLETED else f"still {agent.status.value}"
            return "cannot-retry", f"{agent.id} is {now}; only agents that ended without completing can be retried"
        if agent.spec.nesting >= state.resident:
            return (
                "nesting-too-large",
                f"{agent.id}: nesting {agent.spec.nesting} needs more than {state.resident} resident slots; "
                "raise them with `orchctl limit --resident`",
            )
    ids = {agent.id for agent in agents}
    cycle = cycle_from(_revived(state, agents), ids)
    if cycle is None:
        return None
    # Without the retry there is no cycle, so every cycle goes through one of the agents.
    index = next(index for index, agent_id in enumerate(cycle) if agent_id in ids)
    path = " -> ".join([*cycle[index:], *cycle[1 : index + 1]])
    return (
        "cycle",
        f"{cycle[index]} would wait for itself: {path}; retry it when the agents that wait for it have ended",
    )


def _revived(state: State, agents: Iterable[Agent]) -> State:
    """Return the state as if `agents` were queued again. Agents alive may have begun to wait for them since they
    ended."""
    queued = {
        agent.id: replace(agent, status=Status.QUEUED, claim=agent.spec.nesting, has_started=False) for agent in agents
    }
    return replace(state, agents={**state.agents, **queued})


def pause(turn: Turn, given: Pause) -> None:
    """Pause admissions. Idempotent."""
    if not turn.state.is_paused:
        turn.record(AdmissionsPaused())
    turn.answer(given.request)


def resume(turn: Turn, given: Resume) -> None:
    """Resume admissions, and drop the rate limits of runners. Idempotent."""
    if turn.state.is_paused or turn.state.holds:
        turn.record(AdmissionsResumed())
    turn.answer(given.request)


def set_limit(turn: Turn, given: SetLimit) -> None:
    """Change the limits. Refused where the resident slots would be too few for the agents alive to end."""
    state = turn.state
    if given.request is None and state.is_limit_set:
        return
    limit = given.limit if given.limit is not None else state.limit
    resident = given.resident if given.resident is not None else max(state.resident, limit)
    if (wrong := _wrong_limit(state, limit, resident)) is not None:
        if given.request is not None:
            turn.refuse(given.request, *wrong)
        return
    if (limit, resident, given.by_command) != (state.limit, state.resident, state.is_limit_set):
        turn.record(LimitChanged(limit, resident, given.by_command))
    if given.request is not None:
        turn.answer(given.request)


def _wrong_limit(state: State, limit: int, resident: int) -> tuple[str, str] | None:
    """Return the code and message with which these limits are refused; None when they may be set."""
    if resident < limit:
        return (
            "bad-limit",
            f"the number of resident slots must be at least the limit of {limit}, not {resident}",
        )
    if not is_safe(resident, claims(state)):
        least = smallest_safe_resident(claims(state))
        return (
            "would-deadlock",
            f"with {resident} resident slots the agents alive could deadlock; use at least {least}",
        )
    stuck = [agent for agent in state.agents.values() if agent.spec.nesting >= resident and not agent.is_over]
    if stuck:
        least = max(agent.spec.nesting for agent in stuck) + 1
        return (
            "bad-limit",
            f"with {resident} resident slots {len(stuck)} agents could never start, first {stuck[0].id}; "
            f"use at least {least}",
        )
    return None


def drain(turn: Turn, given: Drain) -> None:
    """Shut down; with `stop` every running agent is stopped first. Queued agents stay queued."""
    if not turn.state.is_draining:
        turn.record(DrainBegan())
    if given.stop:
        for agent in list(turn.state.living.values()):
            cancel_agent(turn, agent, "stopped together with the daemon")
    turn.answer(given.request)
