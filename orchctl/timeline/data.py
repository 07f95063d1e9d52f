"""The history of all agents, of a run or of a session, as a timeline wants it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from orchctl.client import Client
from orchctl.composition import LIMIT
from orchctl.errors import RefusedError, UsageError
from orchctl.history import events
from orchctl.history.lifecycles import Lives, read
from orchctl.timeline import summary
from orchctl.timeline.summary import History


def told(client: Client, one: str | None, now: float, since: float | None = None) -> History:
    """What is known of `one`, a run or a session, or of everything, from `since` (Unix time) on if it is given.

    Raises RefusedError where there are no agents.
    """
    title, wanted, lives, seq = _of_all(client) if one is None else _of_one(client, one)
    agents = [life for life in lives.agents.values() if wanted is None or life.id in wanted]
    if not agents:
        raise RefusedError(f"{one or 'this home'} has no agents yet, so there is nothing to show", code="no-history")
    end = now if any(life.status is None for life in agents) else max(map(summary.last, agents))
    begin = min(map(summary.first, agents))
    limits = [(at, limit) for at, limit in _limits(client, lives, begin, seq) if at <= end]
    whole = History(title, agents, limits, begin, max(begin, end))
    if since is None:
        return whole
    rest = summary.cut(whole, since)
    if not rest.lives:
        raise RefusedError(
            f"{one or 'this home'} has no agents that ended after the time of --since; choose an earlier time",
            code="no-history",
        )
    return rest


def _of_all(client: Client) -> tuple[str, None, Lives, int]:
    return "orchd: all agents", None, read(events.facts(client)), 0


def _of_one(client: Client, one: str) -> tuple[str, set[str], Lives, int]:
    """Its title, its agents, the lives in its time, and the number of the fact after which that begins."""
    if one.startswith("session-"):
        session = client.call("session-status", {"id": one})["session"]
        since = events.before(client, session["opened_at"])
        kept = list(_of_session(events.facts(client, since), session["id"]))
        return _titled(session), {fact["agent"] for fact in kept if fact["event"] == "agent-queued"}, read(kept), since
    if one.startswith("run-"):
        run = client.call("run-status", {"id": one})["run"]
        since = events.before(client, run["began_at"])
        lives = read(events.facts(client, since))
        return _titled(run), {member["id"] for member in run["members"]}, lives, since
    raise UsageError(f"{one!r} is no run and no session; give run-001, session-001, or nothing for all there is")


def _titled(scope: Mapping[str, Any]) -> str:
    return " ".join(filter(None, (scope["id"], scope["name"])))


def _of_session(facts: Iterable[Mapping[str, Any]], session: str) -> Iterator[Mapping[str, Any]]:
    """The facts of its agents, and of the box."""
    for fact in facts:
        if fact["event"] != "agent-queued" or fact.get("session") == session:
            yield fact


def _limits(client: Client, lives: Lives, begin: float, since: int) -> list[tuple[float, int]]:
    """The limit as it was from `begin` on, the same for agents whatever they are shown as a part of.

    `since` is the number of the fact after which `lives` were read: the change that was in force then is before it.
    Where that was pruned, nobody knows the limit before the next change.
    """
    earlier = [limit for at, limit in lives.limits if at <= begin]
    if not earlier:
        earlier = _in_force(client, since, is_unchanged=not lives.limits)
    return [(begin, limit) for limit in earlier[-1:]] + [one for one in lives.limits if one[0] > begin]


def _in_force(client: Client, seq: int, *, is_unchanged: bool) -> list[int]:
    """The limit after the fact with this number, if it is known; `is_unchanged` when no later fact changes it."""
    if is_unchanged:
        return [client.call("limit")["limit"]]
    if (fact := events.newest(client, "limit-changed", seq)) is not None:
        return [fact["limit"]]
    if client.call("events", {"count": 1})["pruned"]:
        return []
    return [LIMIT]
