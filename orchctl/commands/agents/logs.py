"""`orchctl logs`: an agent's output, read from the file that the daemon names, or from a daemon of another machine."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import closing, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import zmq

from orchctl import exit_codes
from orchctl.client import Client
from orchctl.client.subscription import Subscription, Throttle
from orchctl.errors import RefusedError, UsageError
from orchctl.history.log_follow import FileChanges, FollowedLog
from orchctl.history.log_source import open_source, output_of
from orchctl.terminal import console
from orchd.instance.home import Home
from orchd.protocol.errors import WireError

if TYPE_CHECKING:
    from orchctl.history.log_source import RemoteLog

_LOOK_AGAIN = 1.0  # seconds


def run(args: SimpleNamespace) -> int:
    """Write the log's bytes to stdout; with `-f` until the agent has ended."""
    if args.lines is not None and args.lines < 0:
        raise UsageError(f"--lines must be 0 or more, not {args.lines}")
    with Client() as client:
        if args.json:
            place = _place(client, args)
            left_out: int | None = None  # bytes that are missing between head and tail; None of output that is gone
            with suppress(OSError), closing(open_source(_output(client, place))) as source:
                gap = source.read(0, 1)[1]
                left_out = gap.end - gap.start if gap else 0
            console.say_json({**place, "left_out": left_out})
        elif args.follow:
            (args.id,) = client.ids((args.id,))
            with closing(_LogReader(client, args)) as reader:
                reader.look()
                if not reader.is_over:
                    # waiting for the agent, and not only reading its file, gives our slot away when we are an agent too
                    client.wait(ids=(args.id,), watch=reader)
                reader.finish()
        else:
            with console.writing():
                _opened(client, _place(client, args), args.lines).copy(sys.stdout.buffer)
    return exit_codes.OK


def _place(client: Client, args: SimpleNamespace) -> dict[str, Any]:
    return client.call("logs", {"id": args.id} if args.attempt is None else {"id": args.id, "attempt": args.attempt})


def _output(client: Client, place: dict[str, Any]) -> Path | RemoteLog:
    return output_of(client, place["id"], place["attempt"], place["path"])


def _opened(client: Client, place: dict[str, Any], lines: int | None) -> FollowedLog:
    try:
        return FollowedLog(_output(client, place), lines)
    except FileNotFoundError:
        raise RefusedError(f"the log of {place['id']} no longer exists: {place['path']}", code="no-log") from None


class _LogReader:
    """Copies the log as it grows. Continues with the next attempt when that begins, but not with --attempt."""

    def __init__(self, client: Client, args: SimpleNamespace) -> None:
        self._news = Subscription(client.context, client.target)
        self._pace = Throttle(self._news)
        self._asker = Client(client.target)
        self._changes = FileChanges()
        self._is_near = isinstance(client.target, Home)
        self._args = args
        self._lines: int | None = args.lines
        self._log: FollowedLog | None = None
        self._attempt = 0
        self.is_over = False

    def sources(self) -> Iterable[zmq.Socket[bytes] | int]:
        """Return sources that are readable when the file has grown or another attempt may have begun."""
        return (self._changes.fd, *self._news.sources())

    def look(self) -> float | None:
        """Copy the new bytes. Returns the seconds until the next look, None to wait for the sources."""
        self._changes.drain()
        left = self._pace.seconds()
        if left == 0.0:
            self._pace.looked()
            try:
                self._turn_to(_place(self._asker, self._args))
            except WireError as error:
                if error.code != "no-log" or self._args.attempt is not None:  # the agent may not have started yet
                    raise
        self._copy()
        # nothing tells how a file on another machine grows
        return (left or None) if self._is_near else min(left or _LOOK_AGAIN, _LOOK_AGAIN)

    def finish(self) -> None:
        """Copy the last bytes. Raises WireError when the agent ended without ever starting."""
        self._turn_to(_place(self._asker, self._args))
        self._copy()

    def close(self) -> None:
        """Close the log, the watch of its file and the connections."""
        if self._log:
            self._log.close()
        self._changes.close()
        self._news.close()
        self._asker.close()

    def _turn_to(self, place: dict[str, Any]) -> None:
        self.is_over = place["over"]
        if place["attempt"] == self._attempt:
            return
        self._copy()
        if self._log:
            self._log.close()
        self._log, self._attempt = _opened(self._asker, place, self._lines), place["attempt"]
        self._lines = None
        if self._is_near:
            self._changes.watch(Path(place["path"]))

    def _copy(self) -> None:
        if self._log:
            with console.writing():
                self._log.copy(sys.stdout.buffer)
