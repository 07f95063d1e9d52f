"""Collects the history of all agents, of a run or of a session, for a timeline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchctl.client import Client
from orchctl.composition import LIMIT
from orchctl.errors import RefusedError, UsageError
from orchctl.history import events
from orchctl.history.lifecycles import Lifecycles, read
from orchctl.timeline import summary
from orchctl.timeline.summary import History


def history_of(client: Client, run_or_session: str | None, now: float, since: float | None = None) -> History:
    """Return the history of a run, a session or, for None, all agents, from `since` (Unix time) on if it is given.

    Raises RefusedError where there are no agents.
    """
    if run_or_session is None:
        title, wanted, lives, seq = "orchd: all agents", None, read(events.between(client)), 0
    else:
        title, wanted, lives, seq = _of_group(client, run_or_session)
    name = run_or_session or "this home"
    agents = [life for life in lives.agents.values() if wanted is None or life.id in wanted]
    if not agents:
        raise RefusedError(f"{name} has no agents yet", code="no-history")
    end = now if any(life.status is None for life in agents) else max(map(summary.last, agents))
    begin = min(map(summary.first, agents))
    # the limit at `begin` is the same for an agent in any group; where its event was pruned it is unknown
    earlier = [limit for at, limit in lives.limits if at <= begin]
    if not earlier and not lives.limits:
        earlier = [client.call("limit")["limit"]]
    elif not earlier and (event := events.newest(client, "limit-changed", seq)) is not None:
        earlier = [event["limit"]]
    elif not earlier and not client.call("events", {"count": 1})["pruned"]:
        earlier = [LIMIT]
    changes = [(begin, limit) for limit in earlier[-1:]] + [change for change in lives.limits if change[0] > begin]
    limits = [(at, limit) for at, limit in changes if at <= end]
    history = History(title, agents, limits, begin, max(begin, end))
    if since is None:
        return history
    rest = summary.cut(history, since)
    if not rest.lives:
        raise RefusedError(f"{name} has no agents that ended after --since; choose an earlier time", code="no-history")
    return rest


def _of_group(client: Client, group: str) -> tuple[str, set[str] | None, Lifecycles, int]:
    """Return the title, the agents, the lives in the group's time, and the number of the event before that time."""
    if group.startswith("session-"):
        session = client.call("session-status", {"id": group})["session"]
        since = events.before(client, session["opened_at"])
        # limits and pauses belong to no session
        history = [
            event
            for event in events.between(client, since)
            if event["event"] != "agent-queued" or event.get("session") == session["id"]
        ]
        queued = {event["agent"] for event in history if event["event"] == "agent-queued"}
        return _titled(session), queued, read(history), since
    if group.startswith("run-"):
        run = client.call("run-status", {"id": group})["run"]
        since = events.before(client, run["began_at"])
        lives = read(events.between(client, since))
        return _titled(run), {member["id"] for member in run["members"]}, lives, since
    raise UsageError(f"{group!r} is not a run or session; give e.g. run-001 or session-001, or nothing for all agents")


def _titled(group: Mapping[str, Any]) -> str:
    return " ".join(filter(None, (group["id"], group["name"])))
