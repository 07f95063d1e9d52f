"""A reply of the daemon that is kept current: the request is repeated after each event, also across restarts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import nullcontext, suppress
from typing import Any

import zmq

from orchctl.client.client import Client
from orchctl.client.connection import milliseconds
from orchctl.client.subscription import Subscription, Throttle
from orchctl.errors import NoDaemonError

_AGAIN = 1.0  # seconds between two looks for a daemon that is away


class LiveQuery:
    """A request with its last `answer`; `is_cut_off` while no daemon answers.

    With `every`, the request is repeated after so many seconds without news too. The first `look` gets an answer, or
    raises NoDaemonError when no daemon runs.
    """

    def __init__(self, client: Client, ask: Callable[[Client], dict[str, Any]], every: float | None = None) -> None:
        self._client = client
        self._ask = ask
        self._every = every
        self._news = Subscription(client.context, client.target)
        self._pace = Throttle(self._news)
        self._due = 0.0
        self.answer: dict[str, Any] = {}
        self.is_cut_off = False

    def close(self) -> None:
        """Close the subscription to news."""
        self._news.close()

    def look(self) -> bool:
        """Send the request if it is due. Returns whether it was sent."""
        is_due = self._due and time.monotonic() >= self._due
        if self._pace.seconds() != 0.0 and not is_due:
            return False
        self._pace.looked()
        self.is_cut_off = True
        with suppress(NoDaemonError) if self.answer else nullcontext():
            self.answer = self._ask(self._client)
            self.is_cut_off = False
        pause = _AGAIN if self.is_cut_off else self._every
        self._due = time.monotonic() + pause if pause else 0.0
        return True

    def wait(self, sources: Iterable[int], seconds: float | None) -> None:
        """Return when a look is due, when a descriptor of `sources` can be read, or after `seconds`."""
        poller = zmq.Poller()
        for source in (*self._news.sources(), *sources):
            poller.register(source, zmq.POLLIN)
        now = time.monotonic()
        moments = [now + left for left in (self._pace.seconds(), seconds) if left is not None]
        moments += [self._due] if self._due else []
        poller.poll(milliseconds(min(moments), None) if moments else None)
