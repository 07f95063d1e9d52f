"""The maps that clients see: agents, runs, sessions, the limit and events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache

from orchd.core.admission.reasons import position, reason
from orchd.core.admission.slots import overdrawn, working
from orchd.core.admission.why import Verdict
from orchd.core.admission.without_slot import is_returning
from orchd.core.state.agents import WORKING, Agent, AgentId, Level, Status, agent_id, number_of
from orchd.core.state.runs import Run, RunId
from orchd.core.state.sessions import Session, SessionId
from orchd.core.state.spending import Spent
from orchd.core.state.state import State
from orchd.instance.home import Home
from orchd.processes.attempt_files import files_of
from orchd.processes.linux.usage import Usage
from orchd.protocol import ids
from orchd.protocol.branches import branch_of
from orchd.store.reader import StoredFact

_NOTHING_KNOWN = dict.fromkeys(Spent._fields)
_SIGNALS = range(129, 193)  # a shell reports death by signal n as 128 + n


def limit(state: State) -> dict[str, object]:
    """Return the two limits and how much of them is used."""
    return {
        "limit": state.limit,
        "working": working(state),
        "resident": state.resident,
        "living": len(state.living),
        "overdrawn": overdrawn(state),
        "by_command": state.is_limit_set,
        "enforcement": "strict" if state.is_strict else "lenient",
        "frozen": sum(agent.frozen is not None for agent in state.waiting.values()),
        "stalled": state.is_stall_announced,
        "standing_still": sorted(state.standing, key=number_of),
        "paused": state.is_paused,
        "paused_agents": [agent.id for agent in state.living.values() if agent.is_paused],
        "disk_pressure": state.has_disk_pressure,
        "held": {runner: iso(until.wall) for runner, until in state.holds.items()},
    }


def config(home: Home, state: State, values: Mapping[str, object]) -> dict[str, object]:
    """Return the settings in force: the limit is state, and may be a command's."""
    in_force = {**values, "limit": state.limit, "resident": state.resident}
    return {"config": str(home.config), "values": in_force, "by_command": state.is_limit_set}


def summary(state: State) -> str:
    """Return how many slots are in use, as one line for `systemctl status`."""
    parts = [
        f"slots {working(state)}/{state.limit} in use",
        f"{len(state.living)}/{state.resident} alive",
        f"{len(state.agents) - len(state.living)} queued",
    ]
    if over := overdrawn(state):
        parts.append(f"{over} over the limit")
    words = (("stalled", state.is_stall_announced), ("paused", state.is_paused), ("draining", state.is_draining))
    parts += [word for word, is_true in words if is_true]
    return ", ".join(parts)


def levels(state: State) -> dict[str, int]:
    """Return the number of working agents by level."""
    counts = {level.value: 0 for level in Level}
    for agent in state.living.values():
        counts[agent.level.value] += agent.status in WORKING
    return counts


def ticket(state: State, agent: Agent, now: float) -> dict[str, object]:
    """Return an agent in short, for the reply to spawn, cancel and retry."""
    return {
        "id": agent.id,
        "name": agent.spec.name,
        "runner": agent.spec.runner,
        "status": agent.shown_status,
        "position": position(state, agent),
        "reason": reason(state, agent, now),
    }


def agent_map(
    home: Home, state: State, agent: Agent, now: float, children: Sequence[int], usage: Usage | None
) -> dict[str, object]:
    """Return an agent in full."""
    has_worktree = agent.spec.worktree
    return {
        **ticket(state, agent, now),
        **_spec_map(agent),
        "worktree": str(home.worktrees / agent.id) if has_worktree else None,
        "branch": branch_of(agent.spec.name) if has_worktree else None,
        "base": agent.spec.base,
        **_outcome_map(agent, usage),
        "waits_for_slot": is_returning(state, agent),
        "frozen": agent.frozen.value if agent.frozen else None,
        "lent_to": agent.lent_to,
        "paused": agent.is_paused,
        "level": agent.level.value,
        "depth": agent.depth,
        "parent": agent.parent,
        "children": [agent_id(number) for number in children],
        "attempt": agent.attempt,
        "pid": agent.pid,
        "queued_at": iso(agent.queued_at),
        "started_at": iso(agent.started_at),
        "ended_at": iso(agent.ended_at),
        "log": files_of(home, agent.id, agent.attempt).log if agent.attempt else None,
    }


def _spec_map(agent: Agent) -> dict[str, object]:
    """Return the keys of an agent that its spec gives."""
    spec = agent.spec
    return {
        "goal": spec.goal,
        "skill": spec.skill,
        "task_id": spec.task_id,
        "command": list(spec.command),
        "cwd": spec.cwd,
        "stdin": spec.stdin,
        "output_dir": spec.output_dir,
        "result": spec.result,
        "after": list(spec.after),
        "conditions": {blocker: condition.value for blocker, condition in spec.conditions},
        "priority": spec.priority,
        "nesting": agent.claim if agent.status is not Status.QUEUED else spec.nesting,
        "timeout": spec.timeout,
        "silence": spec.silence,
        "grace": spec.grace,
        "retries": spec.retries,
        "memory_max": spec.memory_max,
        "cpu_max": spec.cpu_max,
        "pids_max": spec.pids_max,
        "run": spec.member.run if spec.member else None,
        "member": spec.member.path if spec.member else None,
        "session": spec.session,
    }


def _outcome_map(agent: Agent, usage: Usage | None) -> dict[str, object]:
    """Return the keys of an agent that its outcome gives; while it runs, `usage` gives some of them."""
    outcome = agent.outcome
    code, report = (outcome.code, outcome.report) if outcome else (None, None)
    return {
        "exit_code": code,
        "signal": code - 128 if code in _SIGNALS and code is not None else None,
        "model": (report.model if report else None) or agent.spec.model,
        "cli_session": report.session_id if report else None,
        "turns": report.turns if report else None,
        "notes": [note._asdict() for note in report.notes] if report else [],
        "tokens": agent.spent.tokens if agent.spent else None,
        **({**agent.spent._asdict(), "cost_usd": agent.spent.known_cost} if agent.spent else _NOTHING_KNOWN),
        "tokens_expected": agent.spec.tokens,
        "cost_source": report.cost_source if report else None,
        "cpu_seconds": usage.cpu_seconds if usage else outcome.cpu_seconds if outcome else None,
        "rss_bytes": usage.rss_bytes if usage else outcome.rss_bytes if outcome else None,
        "memory_peak": usage.memory_peak if usage else outcome.memory_peak if outcome else None,
        "escaped": list(usage.escaped if usage else outcome.escaped if outcome else ()),
    }


def verdict_map(verdict: Verdict, blockers: Iterable[Agent]) -> dict[str, object]:
    """Return an explanation, with the blockers in short."""
    return {
        "rule": verdict.rule,
        "reason": verdict.sentence,
        "blockers": [
            {
                "id": blocker.id,
                "name": blocker.spec.name,
                "status": blocker.shown_status,
                "since": iso(blocker.queued_at if blocker.status is Status.QUEUED else blocker.started_at),
            }
            for blocker in blockers
        ],
        "blocked_by": verdict.blocked_by,
        "way_out": verdict.way_out,
    }


def run_map(run: Run, counts: Mapping[str, int]) -> dict[str, object]:
    """Return a run as an element of a list; `counts` are its members by status."""
    return {
        "id": run.id,
        "name": run.plan.name,
        "task_id": run.plan.task_id,
        "status": run.status.value,
        "reason": run.reason,
        "parent": run.plan.ancestors[-1] if run.plan.ancestors else None,
        "session": run.plan.session,
        "cwd": run.plan.cwd,
        "results": run.plan.results,
        "began_at": iso(run.began_at),
        "ended_at": iso(run.ended_at),
        **budget_map(run),
        "counts": dict(counts),
    }


def whole_run_map(run: Run, members: Iterable[Agent]) -> dict[str, object]:
    """Return a run in full, with its members."""
    pairs = [(agent, member) for agent in members if (member := agent.spec.member) is not None]
    return {
        **run_map(run, Counter(agent.shown_status for agent, _ in pairs)),
        "groups": [
            {
                "path": group.path,
                "max_parallel": group.max_parallel,
                "on_failure": "fail-fast" if group.is_fail_fast else "continue",
                "required": group.is_required,
            }
            for group in run.plan.groups
        ],
        "members": [
            {
                "path": member.path,
                "id": agent.id,
                "status": agent.shown_status,
                "required": member.is_required,
                "reason": agent.reason,
                "after": list(member.after),
                "weight": member.weight,
            }
            for agent, member in pairs
        ],
    }


def budget_map(scope: Run | Session) -> dict[str, object]:
    """Return what a run or session has cost, and its budget."""
    return {
        "max_tokens": scope.budget.tokens,
        "max_cost": scope.budget.cost_usd,
        "tokens": scope.spent.tokens,
        "cost_usd": scope.spent.cost_usd,
        "cost_unknown": scope.spent.cost_unknown,
        "reached": scope.budget.reached_by(scope.spent),
    }


def session_map(session: Session, unfinished: int) -> dict[str, object]:
    """Return a session in full."""
    return {
        "id": session.id,
        "name": session.name,
        "directory": session.directory,
        "opened_at": iso(session.opened_at),
        "closed_at": iso(session.closed_at),
        "agents": session.agents,
        "unfinished": unfinished,
        "tokens_expected": session.expected,
        **budget_map(session),
    }


def event_map(event: StoredFact) -> dict[str, object]:
    """Return a stored event as clients see it."""
    agent = agent_id(event.agent) if event.agent is not None else None
    return {"seq": event.seq, "at": iso(event.at), "event": event.event, "agent": agent, **event.doc}


def tickets(state: State, agents: Iterable[Agent], now: float) -> Mapping[str, object]:
    """Return the reply to spawn, run, cancel and retry."""
    return {"agents": [ticket(state, agent, now) for agent in agents]}


@lru_cache(maxsize=1024)  # the events of a turn have the same time, which is shown again and again
def iso(wall: float | None) -> str | None:
    """Return a Unix time as ISO 8601 in UTC, to the millisecond."""
    if wall is None:
        return None
    return datetime.fromtimestamp(wall, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def canonical(text: str) -> AgentId | None:
    """Return `agent-007` for `7`, `agent-7`, `Agent-7` and `agent-007`; None for a text that cannot be an id."""
    agent = ids.canonical(ids.AGENT, text.lower() if "-" in text else f"{ids.AGENT}-{text}")
    return AgentId(agent) if agent else None


def canonical_run(text: str) -> RunId | None:
    """Return `run-007` for `run-7` and `run-007`; None for a text that cannot be the id of a run."""
    run = ids.canonical(ids.RUN, text)
    return RunId(run) if run else None


def canonical_session(text: str) -> SessionId | None:
    """Return `session-007` for `session-7` and `session-007`; None for a text that cannot be the id of a session."""
    session = ids.canonical(ids.SESSION, text)
    return SessionId(session) if session else None
