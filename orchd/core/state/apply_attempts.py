"""The part of `apply` for events about attempts: their start, their output and their end."""

# ruff: noqa: ARG001 - every change takes the same arguments

from __future__ import annotations

from dataclasses import replace
from typing import Any

from orchd.core.state import apply_waits
from orchd.core.state.agents import Agent, Instant, Oom, StopReason
from orchd.core.state.events import (
    AgentCancelled,
    AgentHeard,
    AgentPromoted,
    AgentRevived,
    AgentSkipped,
    AttemptAdmitted,
    AttemptDeferred,
    AttemptRetried,
    AttemptStarted,
    AttemptVoided,
    KillBegan,
    ProcessEnded,
    StopBegan,
)
from orchd.core.state.spending import Spent
from orchd.core.state.state import State


def admitted(state: State, agent: Agent, event: AttemptAdmitted, at: Instant) -> None:
    state.is_new_next = False
    agent.attempt, agent.has_started = event.attempt, True
    agent.pid = agent.cgroup = agent.unmet = agent.outcome = agent.cause = agent.kill_at = agent.ready_at = None
    agent.reason = agent.ended_at = None
    agent.because = ""
    agent.started = agent.heard = at.mono
    agent.started_at = at.wall


def started(state: State, agent: Agent, event: AttemptStarted, at: Instant) -> None:
    agent.pid, agent.cgroup, agent.unmet = event.pid, event.cgroup, event.unmet
    state.refusals, state.remedy = 0, ""


def voided(state: State, agent: Agent, event: AttemptVoided, at: Instant) -> None:
    """Queue the agent as before. It may have lent its slot before its daemon died, and before its gate was opened."""
    apply_waits.unfreeze(agent, at)
    _requeue(agent)
    agent.started_at = None
    agent.reason = event.reason
    if event.hold:
        state.spawn_backoff_until = at.mono + event.hold
        state.refusals += 1
        state.remedy = event.remedy


def promoted(state: State, agent: Agent, event: AgentPromoted, at: Instant) -> None:
    agent.claim = event.claim


def heard(state: State, agent: Agent, event: AgentHeard, at: Instant) -> None:
    agent.heard = at.mono - event.ago


def stop_began(state: State, agent: Agent, event: StopBegan, at: Instant) -> None:
    agent.cause, agent.reason, agent.because = event.cause, event.reason, event.because
    agent.is_paused = False
    agent.waits.clear()
    apply_waits.unfreeze(agent, at)
    if agent.kill_at is None:
        agent.kill_at = at.mono + agent.spec.grace


def kill_began(state: State, agent: Agent, event: KillBegan, at: Instant) -> None:
    agent.kill_at = None


def process_ended(state: State, agent: Agent, event: ProcessEnded, at: Instant) -> None:
    agent.outcome = event.outcome
    state.refusals, state.spawn_backoff_until = (
        0,
        0.0,
    )  # its resources are free again: they may be what the machine lacked
    if (report := event.outcome.report) is not None:
        agent.spent = report.spent.plus(agent.spent or Spent())
        if not report.is_simulated:  # a simulation spends nothing of the budgets of its session and run
            if (session := agent.spec.session) is not None:
                state.sessions[session].spent = report.spent.plus(state.sessions[session].spent)
            if (member := agent.spec.member) is not None:
                state.runs[member.run].spent = report.spent.plus(state.runs[member.run].spent)
    agent.is_paused = False
    agent.waits.clear()
    apply_waits.unfreeze(agent, at)
    if agent.cause is None:
        is_over_bound = event.outcome.oom is Oom.OWN and event.outcome.code != 0
        agent.cause = StopReason.MEMORY if is_over_bound else StopReason.ENDED
        agent.kill_at = at.mono + agent.spec.grace


def deferred(state: State, agent: Agent, event: AttemptDeferred, at: Instant) -> None:
    _requeue(agent)
    agent.rate_limits += 1
    agent.resumes = _cli_session(agent) or agent.resumes
    agent.limited_since = at.wall if agent.limited_since is None else agent.limited_since
    agent.reason = event.reason
    agent.ended_at = at.wall


def _cli_session(agent: Agent) -> str | None:
    report = agent.outcome.report if agent.outcome else None
    return report.session_id if report else None


def retried(state: State, agent: Agent, event: AttemptRetried, at: Instant) -> None:
    _requeue(agent)
    agent.tries += 1
    agent.resumes = None
    agent.reason = event.reason
    agent.ready_at = at.mono + event.delay
    agent.ended_at = at.wall
    state.seed = event.seed


def revived(state: State, agent: Agent, event: AgentRevived, at: Instant) -> None:
    _requeue(agent)
    attributes = event.attributes or agent.spec.attributes
    agent.spec = replace(agent.spec, environment=event.environment, attributes=attributes)
    agent.tries = agent.rate_limits = 0
    agent.has_started = False
    agent.limited_since = None
    agent.resumes = _cli_session(agent) if event.is_resumed else None
    agent.age = at.mono
    agent.queued_at, agent.started_at, agent.ended_at = at.wall, None, None
    agent.reason = agent.outcome = agent.cause = None
    agent.because = ""


def ended(state: State, agent: Agent, event: Any, at: Instant) -> None:
    agent.reason = event.reason


def cut_off(state: State, agent: Agent, event: AgentCancelled | AgentSkipped, at: Instant) -> None:
    agent.reason, agent.because = event.reason, event.because


def _requeue(agent: Agent) -> None:
    agent.pid = agent.cgroup = agent.started = agent.heard = agent.kill_at = agent.held_since = None
    agent.claim = agent.spec.nesting
    agent.waits.clear()
