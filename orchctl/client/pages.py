"""All pages of what the daemon answers, as one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from orchctl.client import target
from orchctl.client.client import Client
from orchd.protocol.errors import WireError


def status(client: Client, asked: Mapping[str, object]) -> dict[str, Any]:
    """One answer to `status`, made of all its pages."""
    return whole(client, "status", asked, "agents")


def first(client: Client, asked: Mapping[str, object], most: int) -> dict[str, Any]:
    """One answer to `status` with no more than the first `most` agents, and how many there are by status."""
    try:
        return client.call("status", {**asked, "most": most})
    except WireError as error:
        if error.code != "bad-request":
            raise
    return status(client, asked)  # a daemon from before an upgrade knows only whole answers


def whole(client: Client, op: str, asked: Mapping[str, object], key: str) -> dict[str, Any]:
    """One answer to `op`, whose pages each have a part of the list `key`."""
    return completed(client, op, asked, key, client.call(op, asked))


def run(client: Client, one: str) -> dict[str, Any]:
    """One answer to `run-status`, with all members."""
    asked = {"id": one}
    return completed(client, "run-status", asked, "agents", client.call("run-status", asked), page="skip")


def session(client: Client, session_id: str | None) -> dict[str, Any]:
    """One answer to `session-status`, for this id or the session of the directory, with all agents, newest first."""
    asked = {"id": session_id} if session_id else {} if target.is_remote() else {"project": _here()}
    answer = client.call("session-status", asked)
    # a newer session may be opened in the directory meanwhile
    return completed(client, "session-status", {"id": answer["session"]["id"]}, "agents", answer)


def _here() -> str:
    from orchd.instance.projects import project_of

    return str(project_of(Path.cwd()))


def completed(
    client: Client,
    op: str,
    asked: Mapping[str, object],
    key: str,
    answer: dict[str, Any],
    *,
    page: str = "before",
) -> dict[str, Any]:
    """`answer`, a first page, with what `asked` brings of the others, whose place in the whole is said as `page`."""
    more = answer.pop("more")
    while more is not None:
        part = client.call(op, {**asked, page: more})
        answer[key] += part[key]
        more = part["more"]
    return answer


def known(client: Client, ids: Iterable[str]) -> dict[str, dict[str, Any]]:
    """The agents of these ids, but for those that nobody knows or that the caller may not see."""
    found = {}
    for one in ids:
        try:
            (found[one],) = client.call("status", {"ids": [one], "usage": False})["agents"]
        except WireError as error:
            if error.code not in ("unknown-agent", "pruned", "forbidden"):
                raise
    return found
