"""`orchctl events`: what happened, and with `-f` what happens."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from orchctl import exits, out, render
from orchctl.client import Client
from orchctl.errors import NoDaemonError
from orchctl.news import News

_LATEST = 50  # events shown when nobody says since when
_PAGE = 1000


def run(args: SimpleNamespace) -> int:
    """Print the facts after `--since`, or the latest; with `-f` go on until interrupted."""
    with Client() as client:
        news = News(client.context, client.home) if args.follow else None
        since = _printed(client, _start(client) if args.since is None else args.since, as_json=args.json)
        # somebody who only looks on waits for a daemon to come back, and does not bring it back
        with Client(client.home, starts=False) as observer:
            while news:
                news.wait()
                try:
                    since = _printed(observer, since, as_json=args.json)
                except NoDaemonError:
                    continue
    return exits.OK


def _start(client: Client) -> int:
    last: int = client.call("events", {"count": 1})["last"]
    return max(0, last - _LATEST)


def _printed(client: Client, since: int, *, as_json: bool) -> int:
    """Print all facts after `since`; returns the number of the last one."""
    while True:
        page = client.call("events", {"since": since, "count": _PAGE})
        for event in page["events"]:
            _print(event, as_json=as_json)
            since = event["seq"]
        if not page["events"] or since >= page["last"]:
            out.flush()
            return since


def _print(event: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        out.say_json(event)
    else:
        out.say(render.event_line(event))
