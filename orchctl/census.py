"""All pages of what the daemon answers, as one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from orchctl.client import Client
from orchd.wire import WireError


def status(client: Client, asked: Mapping[str, object]) -> dict[str, Any]:
    """One answer to `status`, made of all its pages."""
    answer = client.call("status", asked)
    more = answer.pop("more")
    while more is not None:
        page = client.call("status", {**asked, "before": more})
        answer["agents"] += page["agents"]
        more = page["more"]
    return answer


def known(client: Client, ids: Iterable[str]) -> dict[str, dict[str, Any]]:
    """The agents of these ids, but for those that nobody knows or that the caller may not see."""
    found = {}
    for one in ids:
        try:
            (found[one],) = client.call("status", {"ids": [one], "usage": False})["agents"]
        except WireError as error:
            if error.code not in ("unknown-agent", "forbidden"):
                raise
    return found
