"""`orchctl top`: a live full-screen view of agents. It never starts a daemon."""

from __future__ import annotations

import sys
from contextlib import closing
from types import SimpleNamespace
from typing import Any

from orchctl import exit_codes
from orchctl.client import Client, pages, target
from orchctl.errors import UsageError
from orchctl.history.log_source import output_of
from orchctl.terminal import console

_SECOND = 1.0
_MOST = 500  # agents that can be scrolled through; the others are counted


def run(_: SimpleNamespace) -> int:
    """Show agents, their CPU, memory and last output until `q`."""
    if not (console.is_terminal() and sys.stdin.isatty()):
        raise UsageError("top requires a terminal; `orchctl status --watch` works without a terminal")
    from orchctl.client.live_query import LiveQuery
    from orchctl.terminal.screen import Screen
    from orchctl.terminal.top import Top

    def first_agents(client: Client) -> dict[str, Any]:
        answer = pages.first(client, {}, _MOST)
        if target.is_remote():  # logs of another machine are read through its daemon
            for agent in answer["agents"]:
                agent["log"] = agent["log"] and output_of(client, agent["id"], agent["attempt"], agent["log"])
        return answer

    with (
        Client(starts=False) as client,
        closing(LiveQuery(client, first_agents, every=_SECOND)) as watching,
    ):
        watching.look()
        with Screen(has_keys=True).held() as screen:
            Top(client, watching, screen).run()
    return exit_codes.OK
