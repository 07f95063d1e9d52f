"""`apply(state, fact, at)`: the only function that changes a State, live and on replay alike."""

# ruff: noqa: ARG001 - every change takes the same arguments

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from orchd.core.state import apply_waits
from orchd.core.state.agents import LIVING, Agent, Cause, Instant, Oom, RateLimit, Report, State, Status, number_of
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
from orchd.core.state.spending import Spent
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


def _admitted(state: State, agent: Agent, fact: AttemptAdmitted, at: Instant) -> None:
    state.is_new_next = False
    agent.attempt, agent.has_started = fact.attempt, True
    agent.pid = agent.cgroup = agent.unmet = agent.outcome = agent.cause = agent.kill_at = agent.ready_at = None
    agent.reason = agent.ended_at = None
    agent.because = ""
    agent.started = agent.heard = at.mono
    agent.started_at = at.wall


def _started(state: State, agent: Agent, fact: AttemptStarted, at: Instant) -> None:
    agent.pid, agent.cgroup, agent.unmet = fact.pid, fact.cgroup, fact.unmet
    state.refusals, state.remedy = 0, ""


def _voided(state: State, agent: Agent, fact: AttemptVoided, at: Instant) -> None:
    """It may have lent its slot before its daemon died, and before its gate was opened."""
    apply_waits.unfreeze(agent, at)
    _requeue(agent)
    agent.started_at = None
    agent.reason = fact.reason
    if fact.hold:
        state.held_until = at.mono + fact.hold
        state.refusals += 1
        state.remedy = fact.remedy


def _promoted(state: State, agent: Agent, fact: AgentPromoted, at: Instant) -> None:
    agent.claim = fact.claim


def _heard(state: State, agent: Agent, fact: AgentHeard, at: Instant) -> None:
    agent.heard = at.mono - fact.ago


def _stop_began(state: State, agent: Agent, fact: StopBegan, at: Instant) -> None:
    agent.cause, agent.reason, agent.because = fact.cause, fact.reason, fact.because
    agent.is_paused = False
    agent.waits.clear()
    apply_waits.unfreeze(agent, at)
    if agent.kill_at is None:
        agent.kill_at = at.mono + agent.spec.grace


def _kill_began(state: State, agent: Agent, fact: KillBegan, at: Instant) -> None:
    agent.kill_at = None


def _process_ended(state: State, agent: Agent, fact: ProcessEnded, at: Instant) -> None:
    agent.outcome = fact.outcome
    state.refusals, state.held_until = 0, 0.0  # what it had may be what was missing
    if (report := fact.outcome.report) is not None:
        _spend(state, agent, report)
    agent.is_paused = False
    agent.waits.clear()
    apply_waits.unfreeze(agent, at)
    if agent.cause is None:
        is_over_bound = fact.outcome.oom is Oom.OWN and fact.outcome.code != 0
        agent.cause = Cause.MEMORY if is_over_bound else Cause.ENDED
        agent.kill_at = at.mono + agent.spec.grace


def _spend(state: State, agent: Agent, report: Report) -> None:
    """Add what an attempt took to its agent and, unless it was simulated, to the budgets of its session and run."""
    spent = report.spent
    agent.spent = spent.plus(agent.spent or Spent())
    if report.is_simulated:
        return
    if (session := agent.spec.session) is not None:
        state.sessions[session].spent = spent.plus(state.sessions[session].spent)
    if (member := agent.spec.member) is not None:
        state.runs[member.run].spent = spent.plus(state.runs[member.run].spent)


def _deferred(state: State, agent: Agent, fact: AttemptDeferred, at: Instant) -> None:
    _requeue(agent)
    agent.rate_limits += 1
    agent.resumes = _cli_session(agent) or agent.resumes
    agent.limited_since = at.wall if agent.limited_since is None else agent.limited_since
    agent.reason = fact.reason
    agent.ended_at = at.wall


def _cli_session(agent: Agent) -> str | None:
    report = agent.outcome.report if agent.outcome else None
    return report.session_id if report else None


def _retried(state: State, agent: Agent, fact: AttemptRetried, at: Instant) -> None:
    _requeue(agent)
    agent.tries += 1
    agent.resumes = None
    agent.reason = fact.reason
    agent.ready_at = at.mono + fact.delay
    agent.ended_at = at.wall
    state.seed = fact.seed


def _revived(state: State, agent: Agent, fact: AgentRevived, at: Instant) -> None:
    _requeue(agent)
    attributes = fact.attributes or agent.spec.attributes
    agent.spec = replace(agent.spec, environment=fact.environment, attributes=attributes)
    agent.tries = agent.rate_limits = 0
    agent.has_started = False
    agent.limited_since = None
    agent.resumes = _cli_session(agent) if fact.is_resumed else None
    agent.age = at.mono
    agent.queued_at, agent.started_at, agent.ended_at = at.wall, None, None
    agent.reason = agent.outcome = agent.cause = None
    agent.because = ""


def _ended(state: State, agent: Agent, fact: Any, at: Instant) -> None:
    agent.reason = fact.reason


def _cut_off(state: State, agent: Agent, fact: AgentCancelled | AgentSkipped, at: Instant) -> None:
    agent.reason, agent.because = fact.reason, fact.because


def _requeue(agent: Agent) -> None:
    agent.pid = agent.cgroup = agent.started = agent.heard = agent.kill_at = agent.held_since = None
    agent.claim = agent.spec.nesting
    agent.waits.clear()


def _close(agent: Agent, at: Instant) -> None:
    agent.ended_at = at.wall
    agent.pid = agent.kill_at = agent.ready_at = None
    agent.is_paused = False
    agent.waits.clear()
    if agent.status is Status.COMPLETED:
        agent.reason = None


CHANGES: dict[type, Callable[[State, Agent, Any, Instant], None]] = {
    AttemptAdmitted: _admitted,
    AttemptStarted: _started,
    AttemptVoided: _voided,
    AgentPromoted: _promoted,
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
    AgentHeard: _heard,
    StopBegan: _stop_began,
    KillBegan: _kill_began,
    ProcessEnded: _process_ended,
    AttemptRetried: _retried,
    AttemptDeferred: _deferred,
    AgentRevived: _revived,
    AgentFailed: _ended,
    AgentCancelled: _cut_off,
    AgentTimedOut: _ended,
    AgentLost: _ended,
    AgentSkipped: _cut_off,
}
