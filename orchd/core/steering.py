"""What a person changes from outside: cancel, retry, pause, the limit, the end of the daemon."""

from __future__ import annotations

from orchd.core.facts import (
    AdmissionsPaused,
    AdmissionsResumed,
    AgentRevived,
    DrainBegan,
    LimitChanged,
)
from orchd.core.inputs import Cancel, Drain, Pause, Resume, Retry, SetLimit
from orchd.core.model import OVER, State, Status
from orchd.core.places import claims, is_safe, smallest_safe_resident
from orchd.core.settle import cancel as cancel_agent
from orchd.core.spawning import skip_if_hopeless
from orchd.core.turn import Turn


def cancel(turn: Turn, event: Cancel) -> None:
    """Those that are over stay as they are."""
    for agent in list(turn.state.unfinished(event.ids)):
        if not agent.is_over:
            cancel_agent(turn, agent, "cancelled")
    turn.answer(event.request, *event.ids)


def retry(turn: Turn, event: Retry) -> None:
    """Queue them again; their parent's end does not matter any more, what they come after does."""
    agents = [turn.state.agents[one] for one in event.ids]
    for agent in agents:
        if agent.status not in OVER - {Status.COMPLETED}:
            state = "completed" if agent.status is Status.COMPLETED else f"still {agent.status.value}"
            turn.refuse(event.request, "cannot-retry", f"{agent.id} is {state}: only what ended badly is tried again")
            return
    for agent in agents:
        turn.record(AgentRevived(agent.id, event.environment))
    for agent in agents:
        skip_if_hopeless(turn, agent.id)
    turn.answer(event.request, *event.ids)


def pause(turn: Turn, event: Pause) -> None:
    """Pausing twice is pausing."""
    if not turn.state.is_paused:
        turn.record(AdmissionsPaused())
    turn.answer(event.request)


def resume(turn: Turn, event: Resume) -> None:
    """Resuming twice is resuming."""
    if turn.state.is_paused:
        turn.record(AdmissionsResumed())
    turn.answer(event.request)


def set_limit(turn: Turn, event: SetLimit) -> None:
    """Never so few resident places that what lives could not end."""
    state = turn.state
    limit = event.limit if event.limit is not None else state.limit
    resident = event.resident if event.resident is not None else max(state.resident, limit)
    if (wrong := _wrong_limit(state, limit, resident)) is not None:
        turn.refuse(event.request, *wrong)
        return
    if (limit, resident) != (state.limit, state.resident):
        turn.record(LimitChanged(limit, resident))
    turn.answer(event.request)


def _wrong_limit(state: State, limit: int, resident: int) -> tuple[str, str] | None:
    if resident < limit:
        return (
            "bad-limit",
            f"{resident} resident places are fewer than the limit of {limit}: give at least {limit}",
        )
    if not is_safe(resident, claims(state)):
        least = smallest_safe_resident(claims(state))
        return (
            "would-deadlock",
            f"with {resident} resident places what lives now could not end: give at least {least}",
        )
    stuck = [agent.id for agent in state.agents.values() if agent.spec.nesting >= resident and not agent.is_over]
    if stuck:
        return (
            "bad-limit",
            f"{stuck[0]} and {len(stuck) - 1} others could never start with {resident} resident places",
        )
    return None


def drain(turn: Turn, event: Drain) -> None:
    """On the way out; with `stop` everything that lives is ended first. What is queued stays queued."""
    if not turn.state.is_draining:
        turn.record(DrainBegan())
    if event.stop:
        for agent in list(turn.state.living.values()):
            if agent.id in turn.state.living:
                cancel_agent(turn, agent, "the daemon was stopped with its agents")
    turn.answer(event.request)
