"""Requests whose answers come in pages, which are joined here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from orchctl.client import target
from orchctl.client.client import Client
from orchd.protocol.errors import WireError


def status(client: Client, args: Mapping[str, object]) -> dict[str, Any]:
    """Return the answer to `status` with all its pages."""
    return whole(client, "status", args, "agents")


def first(client: Client, args: Mapping[str, object], most: int) -> dict[str, Any]:
    """Return the answer to `status` with at most the first `most` agents, and with the counts by status."""
    try:
        return client.call("status", {**args, "most": most})
    except WireError as error:
        if error.code != "bad-request":
            raise
    return status(client, args)  # a daemon of an earlier version knows only whole answers


def whole(client: Client, op: str, args: Mapping[str, object], key: str) -> dict[str, Any]:
    """Return the answer to `op` with all its pages, each of which has a part of the list `key`."""
    return completed(client, op, args, key, client.call(op, args))


def run(client: Client, run_id: str) -> dict[str, Any]:
    """Return the answer to `run-status`, with all members."""
    args = {"id": run_id}
    return completed(client, "run-status", args, "agents", client.call("run-status", args), page="skip")


def session(client: Client, session_id: str | None) -> dict[str, Any]:
    """Return the answer to `session-status`, with all agents, newest first.

    Without `session_id` it is the session of the current directory's project.
    """
    args = {"id": session_id} if session_id else {}
    if not session_id and not target.is_remote():
        from orchd.instance.projects import project_of

        args = {"project": str(project_of(Path.cwd()))}
    answer = client.call("session-status", args)
    # a newer session may be opened in the directory meanwhile
    return completed(client, "session-status", {"id": answer["session"]["id"]}, "agents", answer)


def completed(
    client: Client,
    op: str,
    args: Mapping[str, object],
    key: str,
    answer: dict[str, Any],
    *,
    page: str = "before",
) -> dict[str, Any]:
    """Return `answer`, a first page, with the lists `key` of later pages; `page` is the argument for their place."""
    more = answer.pop("more")
    while more is not None:
        part = client.call(op, {**args, page: more})
        answer[key] += part[key]
        more = part["more"]
    return answer


def known(client: Client, ids: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return the agents with these ids, except agents that the daemon does not know or the caller may not see."""
    agents = {}
    for agent_id in ids:
        try:
            (agents[agent_id],) = client.call("status", {"ids": [agent_id], "usage": False})["agents"]
        except WireError as error:
            if error.code not in ("unknown-agent", "pruned", "forbidden"):
                raise
    return agents
