"""`apply(state, event, at)`: the only function that changes a State, live and on replay alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from orchd.core.state import apply_attempts, apply_waits
from orchd.core.state.agents import LIVING, Agent, Instant, Status, number_of
from orchd.core.state.events import (
    AdmissionsPaused,
    AgentCancelled,
    AgentEvent,
    AgentFailed,
    AgentFrozen,
    AgentHeard,
    AgentLost,
    AgentPaused,
    AgentPromoted,
    AgentQueued,
    AgentResumed,
    AgentReturned,
    AgentRevived,
    AgentSkipped,
    AgentThawed,
    AgentTimedOut,
    AttemptAdmitted,
    AttemptDeferred,
    AttemptRetried,
    AttemptStarted,
    AttemptVoided,
    DrainBegan,
    Event,
    HostEvent,
    KillBegan,
    LimitChanged,
    ProcessEnded,
    RunBegan,
    RunBudgetChanged,
    RunEnded,
    RunEvent,
    RunnerLimited,
    SessionClosed,
    SessionEvent,
    SessionOpened,
    SlotAwaited,
    StallBegan,
    StallEnded,
    StopBegan,
    WaitBegan,
    WaitEnded,
    WaitExpired,
    WaitReopened,
    WorkSeen,
)
from orchd.core.state.indexes import (
    enter_indexes,
    enter_waits,
    free_dependents,
    leave_indexes,
    leave_waits,
    note_end,
    note_in_run,
    queued_behind,
)
from orchd.core.state.runs import MemberRef, Run, RunStatus, number_of_run
from orchd.core.state.sessions import Session, number_of_session
from orchd.core.state.state import RateLimit, State
from orchd.core.state.transitions import next_status


def apply(state: State, event: Event, at: Instant) -> None:
    """Apply `event` to `state`. Raises IllegalTransition for an event that cannot have happened."""
    if isinstance(event, AgentEvent):
        _apply_to_agent(state, event, at)
    elif isinstance(event, RunEvent):
        _apply_to_run(state, event, at)
    elif isinstance(event, SessionEvent):
        _apply_to_session(state, event, at)
    else:
        _apply_to_host(state, event, at)


def _apply_to_host(state: State, event: HostEvent, at: Instant) -> None:
    if isinstance(event, LimitChanged):
        state.limit, state.resident, state.is_limit_set = event.limit, event.resident, event.by_command
    elif isinstance(event, DrainBegan):
        state.is_draining = True
    elif isinstance(event, StallBegan | StallEnded):
        state.is_stall_announced = isinstance(event, StallBegan)
    elif isinstance(event, RunnerLimited):
        state.holds[event.runner] = RateLimit(at.mono + event.until - at.wall, event.until, event.reason)
    else:
        state.is_paused = isinstance(event, AdmissionsPaused)
        if not state.is_paused:
            state.holds.clear()


def _apply_to_run(state: State, event: RunEvent, at: Instant) -> None:
    if isinstance(event, RunBegan):
        state.runs[event.run] = Run(event.run, event.plan, at.wall, budget=event.budget)
        state.last_run = max(state.last_run, number_of_run(event.run))
        return
    run = state.runs[event.run]
    if isinstance(event, RunEnded):
        run.status, run.reason, run.ended_at = event.status, event.reason, at.wall
    elif isinstance(event, RunBudgetChanged):
        run.budget = event.budget
    else:
        run.status, run.reason, run.ended_at = RunStatus.RUNNING, None, None


def _apply_to_session(state: State, event: SessionEvent, at: Instant) -> None:
    if isinstance(event, SessionOpened):
        opened = Session(event.session, event.directory, at.wall, event.name, budget=event.budget)
        state.sessions[event.session] = opened
        state.last_session = max(state.last_session, number_of_session(event.session))
    elif isinstance(event, SessionClosed):
        state.sessions[event.session].closed_at = at.wall
    else:
        state.sessions[event.session].budget = event.budget


def _apply_to_agent(state: State, event: AgentEvent, at: Instant) -> None:
    if isinstance(event, AgentQueued):
        agent, status, was_over, behind = _create(state, event, at), next_status(None, event), False, []
    else:
        agent = state.agents[event.agent]
        was_over = agent.is_over
        behind = queued_behind(state, agent) if was_over else []
        for other in behind:
            leave_indexes(state, other)
        status = next_status(agent.status, event)
        if agent.status in LIVING and status in LIVING:
            leave_waits(state, agent)
            _change(state, agent, event, at, status)
            enter_waits(state, agent)
            return
        leave_indexes(state, agent)
    _change(state, agent, event, at, status)
    if agent.is_over:
        agent.ended_at = at.wall
        agent.pid = agent.kill_at = agent.ready_at = None
        agent.is_paused = False
        agent.waits.clear()
        agent.reason = None if agent.status is Status.COMPLETED else agent.reason
    note_in_run(state, agent, was_over=was_over)
    if agent.is_over != was_over:
        note_end(state, agent)
    for changed in (agent, *behind):
        enter_indexes(state, changed)
    if agent.is_over:
        free_dependents(state, agent)


def _change(state: State, agent: Agent, event: AgentEvent, at: Instant, status: Status) -> None:
    if change := CHANGES.get(type(event)):
        change(state, agent, event, at)
    agent.status = status


def _create(state: State, event: AgentQueued, at: Instant) -> Agent:
    """Add the new agent to the state, its session and its run."""
    parent = state.agents.get(event.ancestors[-1]) if event.ancestors else None
    agent = Agent(
        id=event.agent,
        spec=event.spec,
        level=event.level,
        ancestors=event.ancestors,
        claim=event.spec.nesting,
        age=parent.age if parent else at.mono,
        parent_attempt=event.parent_attempt,
        queued_at=at.wall,
    )
    if event.agent in state.agents:
        raise AssertionError(f"{event.agent} was given out twice")
    state.agents[event.agent] = agent
    state.last_number = max(state.last_number, number_of(event.agent))
    if (session := event.spec.session) is not None:
        state.sessions[session].agents += 1
        state.sessions[session].expected += event.spec.tokens or 0
    if (member := event.spec.member) is not None:
        state.runs[member.run].join(member.path, MemberRef(agent.id, member.is_required, member.after))
    return agent


CHANGES: dict[type, Callable[[State, Agent, Any, Instant], None]] = {
    AttemptAdmitted: apply_attempts.admitted,
    AttemptStarted: apply_attempts.started,
    AttemptVoided: apply_attempts.voided,
    AgentPromoted: apply_attempts.promoted,
    WaitBegan: apply_waits.wait_began,
    WaitEnded: apply_waits.wait_ended,
    WaitExpired: apply_waits.wait_expired,
    SlotAwaited: apply_waits.slot_awaited,
    WaitReopened: apply_waits.wait_reopened,
    AgentReturned: apply_waits.returned,
    WorkSeen: apply_waits.work_seen,
    AgentFrozen: apply_waits.frozen,
    AgentThawed: apply_waits.thawed,
    AgentPaused: apply_waits.paused,
    AgentResumed: apply_waits.resumed,
    AgentHeard: apply_attempts.heard,
    StopBegan: apply_attempts.stop_began,
    KillBegan: apply_attempts.kill_began,
    ProcessEnded: apply_attempts.process_ended,
    AttemptRetried: apply_attempts.retried,
    AttemptDeferred: apply_attempts.deferred,
    AgentRevived: apply_attempts.revived,
    AgentFailed: apply_attempts.ended,
    AgentCancelled: apply_attempts.cut_off,
    AgentTimedOut: apply_attempts.ended,
    AgentLost: apply_attempts.ended,
    AgentSkipped: apply_attempts.cut_off,
}
