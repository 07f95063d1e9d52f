"""What clients are shown: agents, the limit and facts as plain maps. docs/protocol.md explains every key."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from orchd.core.explain import position, reason
from orchd.core.model import WORKING, Agent, AgentId, Level, State, Status, agent_id
from orchd.core.places import overdrawn, working
from orchd.procs.launch import files_of
from orchd.procs.usage import Usage
from orchd.store import StoredFact
from orchd.wire import Home

_SIGNALS = range(129, 193)  # a shell reports death by signal n as 128 + n


def limit(state: State) -> dict[str, object]:
    """The two numbers and how much of them is used."""
    return {
        "limit": state.limit,
        "working": working(state),
        "resident": state.resident,
        "living": len(state.living),
        "overdrawn": overdrawn(state),
        "paused": state.is_paused,
    }


def levels(state: State) -> dict[str, int]:
    """Working agents by level."""
    counts = {level.value: 0 for level in Level}
    for agent in state.living.values():
        counts[agent.level.value] += agent.status in WORKING
    return counts


def ticket(state: State, agent: Agent, now: float) -> dict[str, object]:
    """An agent in short: what a spawn, cancel or retry made of it."""
    return {
        "id": agent.id,
        "name": agent.spec.name,
        "status": agent.status.value,
        "position": position(state, agent),
        "reason": reason(state, agent, now),
    }


def agent_map(
    home: Home, state: State, agent: Agent, now: float, children: Sequence[int], usage: Usage | None
) -> dict[str, object]:
    """An agent in full."""
    return {
        **ticket(state, agent, now),
        **_asked(agent),
        **_ended(agent, usage),
        "level": agent.level.value,
        "depth": agent.depth,
        "parent": agent.parent,
        "children": [agent_id(number) for number in children],
        "attempt": agent.attempt,
        "pid": agent.pid,
        "queued_at": _iso(agent.queued_at),
        "started_at": _iso(agent.started_at),
        "ended_at": _iso(agent.ended_at),
        "log": files_of(home, agent.id, agent.attempt).log if agent.attempt else None,
    }


def _asked(agent: Agent) -> dict[str, object]:
    spec = agent.spec
    return {
        "goal": spec.goal,
        "skill": spec.skill,
        "task_id": spec.task_id,
        "command": list(spec.command),
        "cwd": spec.cwd,
        "stdin": spec.stdin,
        "output_dir": spec.output_dir,
        "after": list(spec.after),
        "priority": spec.priority,
        "nesting": agent.claim if agent.status is not Status.QUEUED else spec.nesting,
        "timeout": spec.timeout,
        "silence": spec.silence,
        "grace": spec.grace,
        "retries": spec.retries,
    }


def _ended(agent: Agent, usage: Usage | None) -> dict[str, object]:
    outcome = agent.outcome
    code = outcome.code if outcome else None
    return {
        "exit_code": code,
        "signal": code - 128 if code in _SIGNALS and code is not None else None,
        "cpu_seconds": usage.cpu_seconds if usage else outcome.cpu_seconds if outcome else None,
        "rss_bytes": usage.rss_bytes if usage else outcome.rss_bytes if outcome else None,
    }


def fact_map(fact: StoredFact) -> dict[str, object]:
    """A fact as an event."""
    agent = agent_id(fact.agent) if fact.agent is not None else None
    return {"seq": fact.seq, "at": _iso(fact.at), "event": fact.event, "agent": agent, **fact.doc}


def tickets(state: State, agents: Iterable[Agent], now: float) -> Mapping[str, object]:
    """The reply to spawn, cancel and retry."""
    return {"agents": [ticket(state, agent, now) for agent in agents]}


def _iso(wall: float | None) -> str | None:
    """ISO 8601 in UTC, to the millisecond."""
    if wall is None:
        return None
    return datetime.fromtimestamp(wall, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def canonical(text: str) -> AgentId | None:
    """`agent-007` for `7`, `agent-7` and `agent-007`; None for what can be no id."""
    digits = text.removeprefix("agent-")
    return agent_id(int(digits)) if digits.isascii() and digits.isdigit() and len(digits) < 16 and int(digits) else None  # noqa: PLR2004
