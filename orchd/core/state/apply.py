"""`apply(state, fact, at)`: the only function that changes a State, live and on replay alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from orchd.core.state import apply_attempts, apply_waits
from orchd.core.state.agents import LIVING, Agent, Instant, RateLimit, State, Status, number_of
from orchd.core.state.events import (
    AdmissionsPaused,
    AgentCancelled,
    AgentFact,
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
    BoxFact,
    DrainBegan,
    Fact,
    KillBegan,
    LimitChanged,
    ProcessEnded,
    RunBegan,
    RunBudgetChanged,
    RunEnded,
    RunFact,
    RunnerLimited,
    SessionClosed,
    SessionFact,
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
from orchd.core.state.runs import Mate, Run, RunStatus, number_of_run
from orchd.core.state.sessions import Session, number_of_session
from orchd.core.state.transitions import next_status


def apply(state: State, fact: Fact, at: Instant) -> None:
    """Change `state` by what happened. Raises IllegalTransition for what cannot have happened."""
    if isinstance(fact, AgentFact):
        _apply_to_agent(state, fact, at)
    elif isinstance(fact, RunFact):
        _apply_to_run(state, fact, at)
    elif isinstance(fact, SessionFact):
        _apply_to_session(state, fact, at)
    else:
        _apply_to_host(state, fact, at)


def _apply_to_host(state: State, fact: BoxFact, at: Instant) -> None:
    if isinstance(fact, LimitChanged):
        state.limit, state.resident, state.is_limit_set = fact.limit, fact.resident, fact.by_command
    elif isinstance(fact, DrainBegan):
        state.is_draining = True
    elif isinstance(fact, StallBegan | StallEnded):
        state.is_stall_announced = isinstance(fact, StallBegan)
    elif isinstance(fact, RunnerLimited):
        state.holds[fact.runner] = RateLimit(at.mono + fact.until - at.wall, fact.until, fact.reason)
    else:
        state.is_paused = isinstance(fact, AdmissionsPaused)
        if not state.is_paused:
            state.holds.clear()


def _apply_to_run(state: State, fact: RunFact, at: Instant) -> None:
    if isinstance(fact, RunBegan):
        state.runs[fact.run] = Run(fact.run, fact.plan, at.wall, budget=fact.budget)
        state.last_run = max(state.last_run, number_of_run(fact.run))
        return
    run = state.runs[fact.run]
    if isinstance(fact, RunEnded):
        run.status, run.reason, run.ended_at = fact.status, fact.reason, at.wall
    elif isinstance(fact, RunBudgetChanged):
        run.budget = fact.budget
    else:
        run.status, run.reason, run.ended_at = RunStatus.RUNNING, None, None


def _apply_to_session(state: State, fact: SessionFact, at: Instant) -> None:
    if isinstance(fact, SessionOpened):
        opened = Session(fact.session, fact.directory, at.wall, fact.name, budget=fact.budget)
        state.sessions[fact.session] = opened
        state.last_session = max(state.last_session, number_of_session(fact.session))
    elif isinstance(fact, SessionClosed):
        state.sessions[fact.session].closed_at = at.wall
    else:
        state.sessions[fact.session].budget = fact.budget


def _apply_to_agent(state: State, fact: AgentFact, at: Instant) -> None:
    if isinstance(fact, AgentQueued):
        agent, status, was_over, behind = _born(state, fact, at), next_status(None, fact), False, []
    else:
        agent = state.agents[fact.agent]
        was_over = agent.is_over
        behind = queued_behind(state, agent) if was_over else []
        for other in behind:
            leave_indexes(state, other)
        status = next_status(agent.status, fact)
        if agent.status in LIVING and status in LIVING:
            leave_waits(state, agent)
            _change(state, agent, fact, at, status)
            enter_waits(state, agent)
            return
        leave_indexes(state, agent)
    _change(state, agent, fact, at, status)
    if agent.is_over:
        _close(agent, at)
    note_in_run(state, agent, was_over=was_over)
    if agent.is_over != was_over:
        note_end(state, agent)
    for one in (agent, *behind):
        enter_indexes(state, one)
    if agent.is_over:
        free_dependents(state, agent)


def _change(state: State, agent: Agent, fact: AgentFact, at: Instant, status: Status) -> None:
    if change := CHANGES.get(type(fact)):
        change(state, agent, fact, at)
    agent.status = status


def _born(state: State, fact: AgentQueued, at: Instant) -> Agent:
    parent = state.agents.get(fact.ancestors[-1]) if fact.ancestors else None
    agent = Agent(
        id=fact.agent,
        spec=fact.spec,
        level=fact.level,
        ancestors=fact.ancestors,
        claim=fact.spec.nesting,
        age=parent.age if parent else at.mono,
        parent_attempt=fact.parent_attempt,
        queued_at=at.wall,
    )
    if fact.agent in state.agents:
        raise AssertionError(f"{fact.agent} was given out twice")
    state.agents[fact.agent] = agent
    state.last_number = max(state.last_number, number_of(fact.agent))
    if (session := fact.spec.session) is not None:
        state.sessions[session].agents += 1
        state.sessions[session].expected += fact.spec.tokens or 0
    if (member := fact.spec.member) is not None:
        state.runs[member.run].join(member.path, Mate(agent.id, member.is_required, member.after))
    return agent


def _close(agent: Agent, at: Instant) -> None:
    agent.ended_at = at.wall
    agent.pid = agent.kill_at = agent.ready_at = None
    agent.is_paused = False
    agent.waits.clear()
    if agent.status is Status.COMPLETED:
        agent.reason = None


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
