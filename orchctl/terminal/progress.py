"""The line of progress on a terminal while a client waits; updated after events of the daemon."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import zmq

from orchctl.client import Client, pages
from orchctl.client.subscription import Subscription, Throttle
from orchctl.errors import NoDaemonError
from orchctl.render import text as render
from orchctl.render.status_tree import counted
from orchctl.terminal import console
from orchd.protocol.errors import WireError
from orchd.protocol.frames import MOST


class Progress:
    """A line on stderr with `text(client)`, updated after events; without events no timer runs."""

    def __init__(self, client: Client, text: Callable[[Client], str]) -> None:
        self._news = Subscription(client.context, client.target)
        self._pace = Throttle(self._news)
        self._client = Client(client.target, starts=False)
        self._text = text
        self._line = console.StatusLine()

    def sources(self) -> Iterable[zmq.Socket[bytes] | int]:
        """Return the sockets to poll for events."""
        return self._news.sources()

    def look(self) -> float | None:
        """Update the line after events, at a limited rate. Returns the seconds until the next update, or None."""
        left = self._pace.seconds()
        if left != 0.0:
            return left
        self._pace.looked()
        try:
            self._line.show(self._text(self._client))
        except (NoDaemonError, WireError):
            # the daemon is restarting; the new connection is news again
            self._line.show("the daemon does not answer")
        return None

    def close(self) -> None:
        """Clear the line and close the connections."""
        self._line.clear()
        self._news.close()
        self._client.close()


def of_wait(ids: Sequence[str]) -> Callable[[Client], str]:
    """Return the text for a wait: how many agents have not ended, by status."""
    named = ids if len(ids) <= MOST else []  # more than one request can name: all agents are counted

    def text(client: Client) -> str:
        answer = pages.first(client, {"ids": named, "usage": False}, 0)
        return render.waiting(counted(answer), is_whole=bool(named))

    return text


def of_drain(client: Client) -> str:
    """Return the text for a draining daemon: how many agents it waits for."""
    return f"waiting for {client.call('limit')['living']} agents to end"
