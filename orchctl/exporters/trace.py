"""Collects the spans of all agents, or of a run, a session or an agent, from the daemon."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from typing import Any, NamedTuple

from orchctl.client import Client, pages
from orchctl.exporters.spans import Span, Spans, TraceHistory
from orchctl.history import events
from orchd.instance.home import Home
from orchd.protocol.errors import WireError

_AT_ONCE = 200
Known = dict[str, dict[str, Any]]


class _Scope(NamedTuple):
    """The subject of a trace: all agents (of a session or of the home), or some agents with their descendants."""

    session: dict[str, Any] | None
    seeds: tuple[str, ...] | None = None
    is_run: bool = False


def spans_of(client: Client, subject: str | None) -> list[Span]:
    """Return the finished spans of a run, a session or an agent, or of all agents for None, oldest first.

    Raises WireError for an unknown id.
    """
    scope = _scope(client, subject)
    story, sessions = TraceHistory(), dict[str, str | None]()
    since = 0 if scope.session is None else events.before(client, scope.session["opened_at"])
    for event in events.between(client, since):
        story.take(event)
        if event["event"] == "agent-queued":
            sessions[event["agent"]] = event.get("session")
    chosen = _chosen(story, sessions, scope)
    agents = _known_agents(client, _with_ancestors(story, chosen))
    runs: Known = {}
    for run_id in sorted(_runs(agents, agents)):
        try:
            runs[run_id] = client.call("run-status", {"id": run_id})["run"]
        except WireError as error:
            if error.code not in ("unknown-run", "forbidden"):  # the daemon no longer knows it
                raise
    own = _runs(agents, chosen) & set(runs)
    if scope.seeds is not None and not scope.is_run:
        own -= _runs(agents, scope.seeds)  # an agent is below its run, and not the other way round
    factory = Spans(instance(client.home), story, agents, runs)
    spans = [*factory.of_runs(sorted(own)), *factory.of_agents(chosen)]
    return sorted(spans, key=lambda span: (span.begin, span.trace, span.id))


def instance(home: Home) -> str:
    """Return a URI that identifies this home among the homes of all machines."""
    return f"orchd://{socket.gethostname()}{home.directory}"


def _scope(client: Client, subject: str | None) -> _Scope:
    if subject is None:
        return _Scope(None)
    if subject.startswith("session-"):
        return _Scope(_session(client, subject))
    if subject.startswith("run-"):
        run = client.call("run-status", {"id": subject})["run"]
        return _Scope(_session(client, run["session"]), tuple(member["id"] for member in run["members"]), is_run=True)
    (agent,) = client.call("status", {"ids": [subject], "usage": False})["agents"]
    return _Scope(_session(client, agent["session"]), (agent["id"],))


def _session(client: Client, session_id: str | None) -> dict[str, Any] | None:
    return None if session_id is None else dict(client.call("session-status", {"id": session_id})["session"])


def _chosen(story: TraceHistory, sessions: dict[str, str | None], scope: _Scope) -> list[str]:
    """Return the agents of the scope. Parents come before their children, so one pass reaches all descendants."""
    if scope.seeds is None:
        return [agent for agent in story.stints if scope.session is None or sessions[agent] == scope.session["id"]]
    below = set(scope.seeds)
    for agent_id, stints in story.stints.items():
        if stints[0].parent in below:
            below.add(agent_id)
    return [agent_id for agent_id in story.stints if agent_id in below]


def _with_ancestors(story: TraceHistory, chosen: Iterable[str]) -> list[str]:
    ids = dict.fromkeys(chosen)
    for agent_id in list(ids):
        parent = story.stints[agent_id][0].parent
        while parent is not None and parent in story.stints and parent not in ids:
            ids[parent] = None
            parent = story.stints[parent][0].parent
    return list(ids)


def _known_agents(client: Client, ids: list[str]) -> Known:
    """Return the status of these agents, except agents that the daemon no longer knows."""
    agents: Known = {}
    for first in range(0, len(ids), _AT_ONCE):
        batch = ids[first : first + _AT_ONCE]
        try:
            answer = pages.status(client, {"ids": batch, "usage": False})
            agents |= {agent["id"]: agent for agent in answer["agents"]}
        except WireError as error:
            if error.code not in ("unknown-agent", "forbidden"):
                raise
            agents |= pages.known(client, batch)
    return agents


def _runs(agents: Known, of: Iterable[str]) -> set[str]:
    return {run for agent_id in of if (run := agents.get(agent_id, {}).get("run")) is not None}
