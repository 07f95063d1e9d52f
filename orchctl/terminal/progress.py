"""The one line of progress that a person sees while a client waits; it changes when something happens."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import zmq

from orchctl.client import Client, pages
from orchctl.client.subscription import News, Pace
from orchctl.errors import NoDaemonError
from orchctl.render import text as render
from orchctl.render.status_tree import counted
from orchctl.terminal import console
from orchd.protocol.errors import WireError
from orchd.protocol.frames import MOST


class Progress:
    """A line on stderr that says `text(client)` again after news, without a timer while there are none."""

    def __init__(self, client: Client, text: Callable[[Client], str]) -> None:
        self._news = News(client.context, client.target)
        self._pace = Pace(self._news)
        self._asker = Client(client.target, starts=False)
        self._text = text
        self._line = console.Line()

    def sources(self) -> Iterable[zmq.Socket[bytes] | int]:
        """Where the news come from."""
        return self._news.sources()

    def look(self) -> float | None:
        """Ask and show when there is something new, but not at once after the last time."""
        left = self._pace.seconds()
        if left != 0.0:
            return left
        self._pace.looked()
        try:
            self._line.show(self._text(self._asker))
        except (NoDaemonError, WireError):
            # the daemon is between two lives; the connection that comes back is news again
            self._line.show("the daemon does not answer")
        return None

    def close(self) -> None:
        """Leave no trace."""
        self._line.clear()
        self._news.close()
        self._asker.close()


def of_wait(ids: Sequence[str]) -> Callable[[Client], str]:
    """The text for a wait: how many are still going, and what they do."""
    named = ids if len(ids) <= MOST else []  # of more than one request can name, all there are are counted

    def text(client: Client) -> str:
        answer = pages.first(client, {"ids": named, "usage": False}, 0)
        return render.waiting(counted(answer), is_whole=bool(named))

    return text


def of_drain(client: Client) -> str:
    """The text for a daemon that drains: how many it waits for."""
    return f"waiting for {client.call('limit')['living']} agents to end"
