"""What the daemon knows of all agents, or of those of a run, a session or an agent, as spans."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from typing import Any, NamedTuple

from orchctl.client import Client, pages
from orchctl.exporters.spans import Span, Spans, Story
from orchctl.history import events
from orchd.instance.home import Home
from orchd.protocol.errors import WireError

_AT_ONCE = 200
Known = dict[str, dict[str, Any]]


class _Scope(NamedTuple):
    """What is asked for: all of a session (or of everything), or some agents of it with all below them."""

    session: dict[str, Any] | None
    seeds: tuple[str, ...] | None = None
    is_run: bool = False


def told(client: Client, one: str | None) -> list[Span]:
    """The spans of what is over of `one`, or of everything, oldest first. Raises WireError for what there is not."""
    scope = _scope(client, one)
    story, sessions = _story(client, scope)
    chosen = _chosen(story, sessions, scope)
    agents = _agents(client, _with_ancestors(story, chosen))
    runs = _known_runs(client, _runs(agents, agents))
    own = _runs(agents, chosen) & set(runs)
    if scope.seeds is not None and not scope.is_run:
        own -= _runs(agents, scope.seeds)  # an agent is below its run, and not the other way round
    spans = Spans(instance(client.home), story, agents, runs)
    found = [*spans.of_runs(sorted(own)), *spans.of_agents(chosen)]
    return sorted(found, key=lambda span: (span.begin, span.trace, span.id))


def instance(home: Home) -> str:
    """What tells one home from others, on other machines too."""
    return f"orchd://{socket.gethostname()}{home.directory}"


def _scope(client: Client, one: str | None) -> _Scope:
    if one is None:
        return _Scope(None)
    if one.startswith("session-"):
        return _Scope(_session(client, one))
    if one.startswith("run-"):
        run = client.call("run-status", {"id": one})["run"]
        return _Scope(_session(client, run["session"]), tuple(member["id"] for member in run["members"]), is_run=True)
    (agent,) = client.call("status", {"ids": [one], "usage": False})["agents"]
    return _Scope(_session(client, agent["session"]), (agent["id"],))


def _session(client: Client, one: str | None) -> dict[str, Any] | None:
    return None if one is None else dict(client.call("session-status", {"id": one})["session"])


def _story(client: Client, scope: _Scope) -> tuple[Story, dict[str, str | None]]:
    """What happened since its session began, and which session each agent belongs to."""
    story, sessions = Story(), {}
    since = 0 if scope.session is None else events.before(client, scope.session["opened_at"])
    for fact in events.facts(client, since):
        story.take(fact)
        if fact["event"] == "agent-queued":
            sessions[fact["agent"]] = fact.get("session")
    return story, sessions


def _chosen(story: Story, sessions: dict[str, str | None], scope: _Scope) -> list[str]:
    """The agents in question. Parents come before their children, so one pass finds all that is below."""
    if scope.seeds is None:
        return [one for one in story.stints if scope.session is None or sessions[one] == scope.session["id"]]
    below = set(scope.seeds)
    for one, stints in story.stints.items():
        if stints[0].parent in below:
            below.add(one)
    return [one for one in story.stints if one in below]


def _with_ancestors(story: Story, chosen: Iterable[str]) -> list[str]:
    found = dict.fromkeys(chosen)
    for one in list(found):
        parent = story.stints[one][0].parent
        while parent is not None and parent in story.stints and parent not in found:
            found[parent] = None
            parent = story.stints[parent][0].parent
    return list(found)


def _agents(client: Client, ids: list[str]) -> Known:
    """What `status` has of them, but for those that nobody knows any more."""
    found: Known = {}
    for first in range(0, len(ids), _AT_ONCE):
        some = ids[first : first + _AT_ONCE]
        try:
            answer = pages.status(client, {"ids": some, "usage": False})
            found |= {agent["id"]: agent for agent in answer["agents"]}
        except WireError as error:
            if error.code not in ("unknown-agent", "forbidden"):
                raise
            found |= pages.known(client, some)
    return found


def _known_runs(client: Client, ids: Iterable[str]) -> Known:
    """These runs, but for those that nobody knows any more."""
    found: Known = {}
    for one in sorted(ids):
        try:
            found[one] = client.call("run-status", {"id": one})["run"]
        except WireError as error:
            if error.code not in ("unknown-run", "forbidden"):
                raise
    return found


def _runs(agents: Known, of: Iterable[str]) -> set[str]:
    return {run for one in of if (run := agents.get(one, {}).get("run")) is not None}
