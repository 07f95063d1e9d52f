"""`orchctl events`: what happened, and with `-f` what happens."""

from __future__ import annotations

from contextlib import closing, suppress
from types import SimpleNamespace
from typing import Any, NoReturn

from orchctl import exit_codes
from orchctl.client import Client
from orchctl.client.subscription import Subscription
from orchctl.errors import NoDaemonError
from orchctl.render import text
from orchctl.terminal import console

_LATEST = 50  # events shown when nobody says since when
_PAGE = 1000


def run(args: SimpleNamespace) -> int:
    """Print the events after `--since`, or the latest; with `-f` go on until interrupted."""
    with Client() as client:
        if args.follow:
            with closing(Subscription(client.context, client.target)) as news:
                _follow(news, client, _printed(client, args))
        _printed(client, args)
    return exit_codes.OK


def _printed(client: Client, args: SimpleNamespace) -> _Printer:
    since = args.since
    if since is None:
        since = max(0, client.call("events", {"count": 1})["last"] - _LATEST)
    printer = _Printer(since, is_asked=args.since is not None, as_json=args.json)
    printer.catch_up(client)
    return printer


def _follow(news: Subscription, client: Client, printer: _Printer) -> NoReturn:
    # somebody who only looks on waits for a daemon to come back, and does not bring it back
    with Client(client.target, starts=False) as observer:
        while True:
            news.wait()
            with suppress(NoDaemonError):
                printer.catch_up(observer)


class _Printer:
    """Prints each event once, whichever daemon tells of it."""

    def __init__(self, since: int, *, is_asked: bool, as_json: bool) -> None:
        self._since = since
        self._is_asked = is_asked  # by a person, and not only for the latest
        self._as_json = as_json

    def catch_up(self, client: Client) -> None:
        """Print all there is after what was printed."""
        while True:
            page = client.call("events", {"since": self._since, "count": _PAGE})
            self._tell_of_gaps(page.get("pruned", 0))
            for event in page["events"]:
                self._print(event)
                self._since = event["seq"]
            if not page["events"] or self._since >= page["last"]:
                console.flush()
                return

    def _tell_of_gaps(self, pruned: int) -> None:
        """Once, to whoever asked for what may be gone."""
        if self._is_asked and self._since < pruned:
            console.warn(f"some of the events up to {pruned} were pruned; those that are left follow")
        self._is_asked = False

    def _print(self, event: dict[str, Any]) -> None:
        if self._as_json:
            console.say_json(event)
        else:
            console.print_line(text.event_line(event))
