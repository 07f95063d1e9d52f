"""`orchctl events`: the latest events, and with `-f` new events."""

from __future__ import annotations

from contextlib import closing, suppress
from types import SimpleNamespace

from orchctl import exit_codes
from orchctl.client import Client
from orchctl.client.subscription import Subscription
from orchctl.errors import NoDaemonError
from orchctl.render.events import event_line
from orchctl.terminal import console

_LATEST = 50  # events shown without --since
_PAGE = 1000


def run(args: SimpleNamespace) -> int:
    """Print the events after `--since`, or the latest; with `-f` also new events, until interrupted."""
    with Client() as client:
        if not args.follow:
            _printed(client, args)
            return exit_codes.OK
        # a client that only follows waits for a daemon to come back, and does not start it
        with (
            closing(Subscription(client.context, client.target)) as news,
            Client(client.target, starts=False) as observer,
        ):
            printer = _printed(client, args)
            while True:
                news.wait()
                with suppress(NoDaemonError):
                    printer.catch_up(observer)


def _printed(client: Client, args: SimpleNamespace) -> _Printer:
    """Print the events until now. Returns the printer, for later events."""
    since = args.since
    if since is None:
        since = max(0, client.call("events", {"count": 1})["last"] - _LATEST)
    printer = _Printer(since, is_asked=args.since is not None, as_json=args.json)
    printer.catch_up(client)
    return printer


class _Printer:
    """Prints each event once, also when another daemon takes over."""

    def __init__(self, since: int, *, is_asked: bool, as_json: bool) -> None:
        self._since = since
        self._is_asked = is_asked  # for the events since a number, and not only for the latest
        self._as_json = as_json

    def catch_up(self, client: Client) -> None:
        """Print the events after the last that was printed, and once a warning if older events were pruned."""
        while True:
            page = client.call("events", {"since": self._since, "count": _PAGE})
            if self._is_asked and self._since < page.get("pruned", 0):
                console.warn(f"some of the events up to {page['pruned']} were pruned; the remaining events follow")
            self._is_asked = False
            for event in page["events"]:
                if self._as_json:
                    console.say_json(event)
                else:
                    console.print_line(event_line(event))
                self._since = event["seq"]
            if not page["events"] or self._since >= page["last"]:
                console.flush()
                return
