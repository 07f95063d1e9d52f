"""The texts of sessions and agents in session files: as JSON, and as YAML that any version reads."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from orchd.core.admission.slots import working
from orchd.core.state.agents import Agent
from orchd.core.state.sessions import Session
from orchd.core.state.state import State
from orchd.instance import yaml_text
from orchd.views.agents import iso

VERSION = 1  # of the files: a higher number means that a key has another meaning, or is gone
_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9_/.-]*")


def fixed_json(agent: Agent) -> str:
    """Return the beginning of an agent in agents.json: the fields that never change."""
    spec = agent.spec
    fields = {
        "id": agent.id,
        "name": spec.name,
        "skillName": spec.skill,
        "taskId": spec.task_id,
        "goal": spec.goal,
        "level": agent.level.value,
        "parent": agent.parent,
        "run": spec.member.run if spec.member else None,
        "runner": spec.runner,
        "result": spec.result,
    }
    return as_json(fields)[:-1]


def changing_json(agent: Agent) -> str:
    """Return the rest of an agent in agents.json: the fields that change."""
    code = agent.outcome.code if agent.outcome else None
    tokens, known = (agent.spent.tokens, agent.spent.known_cost) if agent.spent else ("null", None)
    cost = "null" if known is None else known
    return (
        f', "status": "{agent.shown_status}", "reason": {as_json({"reason": agent.reason})[11:-1]}'
        f', "attempt": {agent.attempt}, "exitCode": {"null" if code is None else code}'
        f', "spawnedAt": {_time(agent.queued_at)}, "startedAt": {_time(agent.started_at)}'
        f', "endedAt": {_time(agent.ended_at)}, "tokens": {tokens}, "costUsd": {cost}}}'
    )


def _time(wall: float | None) -> str:
    return "null" if wall is None else f'"{iso(wall)}"'


def session_yaml(session: Session, tasks: Mapping[int, str], state: State, wall: float) -> str:
    """Return the file of a session, with the texts of its agents by their numbers."""
    budget = session.budget.reached_by(session.spent)
    head: dict[str, str | float | None] = {
        "session": session.id,
        "version": VERSION,
        "name": session.name,
        "status": "Closed" if session.closed_at is not None else "Open",
        "directory": session.directory,
        "opened_at": iso(session.opened_at),
        "updated_at": iso(wall),
        "limit": state.limit,
        "working": working(state),
        "paused": state.is_paused,
        "tokens": session.spent.tokens,
        "cost_usd": session.spent.cost_usd,
        "budget_reached": budget,
    }
    lines = [f"{key}: {scalar(value)}\n" for key, value in head.items()]
    text = "".join(tasks[number] for number in sorted(tasks))
    return f"{''.join(lines)}tasks:{' []' if not text else ''}\n{text}"


def fixed_yaml(agent: Agent) -> str:
    """Return the lines of a task that never change, except for its name."""
    spec = agent.spec
    fields = {
        "id": agent.id,
        "goal": spec.goal,
        "task_id": spec.task_id,
        "skill": spec.skill,
        "parent": agent.parent,
        "result": spec.result,
    }
    return "".join(f"    {key}: {scalar(value)}\n" for key, value in fields.items())


def changing_yaml(agent: Agent) -> str:
    """Return the lines of a task that change."""
    return (
        f"    status: {agent.shown_status.capitalize()}\n"
        f"    attempt: {agent.attempt}\n"
        f"    reason: {scalar(agent.reason)}\n"
        f"    spawned_at: {_time(agent.queued_at)}\n"
        f"    ended_at: {_time(agent.ended_at)}\n"
    )


def scalar(value: str | float | None) -> str:
    """Return a value as YAML reads it, in any version. JSON is valid YAML, except for lone surrogates; plain words stay
    unquoted, so that a line can be searched without a parser."""
    return yaml_text.scalar(value, _PLAIN) if isinstance(value, str) else json.dumps(value)


def as_json(value: Mapping[str, object]) -> str:
    """Return a map as a line of ASCII. Lone surrogates are replaced, which many readers of JSON refuse."""
    text = json.dumps(value)
    return json.dumps(_without_halves(value)) if "\\ud" in text else text


def _without_halves(value: object) -> object:
    if isinstance(value, str):
        return value.translate(yaml_text.HALVES)
    if isinstance(value, Mapping):
        return {key: _without_halves(item) for key, item in value.items()}
    return [_without_halves(item) for item in value] if isinstance(value, list | tuple) else value
