"""The client of a daemon: it sends requests, also across restarts of the daemon. A public API.

    with Client() as client:
        client.call("limit", {"limit": 3})
        client.wait(ids=("agent-001",), timeout=90.0)

docs/reference/protocol.md has the arguments and results of every operation.
"""

from __future__ import annotations

import math
import os
import re
import time
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import zmq

from orchctl.client import target as targets
from orchctl.client.connection import Connection, SideTask
from orchctl.daemon import inside, launcher, probe
from orchctl.errors import NoDaemonError, UsageError
from orchd.instance.home import Home
from orchd.instance.service import log_of
from orchd.protocol.errors import WireError
from orchd.protocol.frames import MAX_FRAME, MOST, pack_request

if TYPE_CHECKING:
    from orchctl.client.remote import RemoteDaemon

PATIENCE = 30.0  # seconds for which a request is repeated while daemons end or do not answer
_PAGE = 500  # agents of one answer
STABLE = 1.0  # seconds after which a connection counts as working
_ID = re.compile("(agent-|run-)?[0-9]+", re.IGNORECASE)
_NEW = "attributes"  # a key of requests that daemons of earlier versions do not know; they start agents without
# Keys of results by their names in daemons of earlier versions, which may still run after an upgrade of the client.
_RENAMED = {
    "holders": "blockers",
    "held_by": "blocked_by",
    "short_of_space": "disk_pressure",
    "bounds": "resource_limits",
}


class Client:
    """One connection to the daemon of one home, or of another machine. Not for two threads at once.

    With `starts`, the client starts the daemon if it is not running; inside an agent the client waits until the daemon
    is running again, as long as the request allows. Without `starts`, NoDaemonError is raised.
    A request without a reply when the daemon ended is sent again with the same id, so it is carried out once.
    """

    def __init__(self, target: Home | RemoteDaemon | None = None, *, starts: bool = True) -> None:
        self.target = target or targets.chosen()
        self._starts = starts
        self._context: zmq.Context[zmq.Socket[bytes]] | None = None
        self._connection: Connection | None = None

    @property
    def home(self) -> Home:
        """Return the home of the daemon. Raises UsageError for a daemon on another machine."""
        if not isinstance(self.target, Home):
            raise UsageError(
                f"this needs files of the daemon's machine, and {self.target.address} is another machine: run it there"
            )
        return self.target

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection and the sockets, without waiting for replies."""
        if self._connection is not None:
            self._connection.close()
        if self._context is not None:
            self._context.destroy(linger=0)
        self._context = self._connection = None

    @property
    def context(self) -> zmq.Context[zmq.Socket[bytes]]:
        """Return the ZeroMQ context, for sockets that live as long as this client."""
        if self._context is None:
            self._context = zmq.Context()
        return self._context

    def call(self, op: str, args: Mapping[str, object] | None = None, *, patience: float = PATIENCE) -> dict[str, Any]:
        """Send a request and return its result, as docs/reference/protocol.md has it.

        Raises WireError when the daemon refuses it, and NoDaemonError when no daemon answers within `patience` seconds.
        """
        until = time.monotonic() + patience
        try:
            return _renamed(self._ask(op, lambda: args or {}, lambda: until, None))
        except WireError as error:
            if args is None or error.details.get("unknown") != _NEW:
                raise
        older = {key: value for key, value in args.items() if key != _NEW}  # for a daemon of an earlier version
        return _renamed(self._ask(op, lambda: older, lambda: until, None))

    def wait(
        self,
        *,
        ids: Iterable[str] = (),
        scope: str = "ids",
        is_any: bool = False,
        timeout: float | None = None,
        watch: SideTask | None = None,
    ) -> dict[str, Any]:
        """Block until the agents have ended, or `timeout` seconds have passed: `{agents, timed_out}`.

        `scope` is `ids`, `tree` (ids and all below them, also what is spawned meanwhile), `all` or `children`; with
        `is_any` the first end is enough. One wait for any takes at most 10,000 ids, one for all of them any number.
        A restart of the daemon does not end the wait. Raises as `call` does, but not while a daemon answers.
        Inside an agent SIGTERM, SIGINT and SIGHUP take effect only when a daemon answers, or after `PATIENCE` seconds.
        """
        if not self._awaits:
            return self._wait_for(ids, scope, timeout, watch, is_any=is_any)
        from orchctl.client.signal_hold import SignalHold

        with SignalHold(lambda: probe.is_running(self.home), PATIENCE, watch) as signal_hold:
            return self._wait_for(ids, scope, timeout, signal_hold, is_any=is_any)

    def _wait_for(
        self, ids: Iterable[str], scope: str, timeout: float | None, watch: SideTask | None, *, is_any: bool
    ) -> dict[str, Any]:
        deadline = math.inf if timeout is None else time.monotonic() + timeout
        names = self.ids(ids)
        if is_any or len(names) <= MOST:
            result = self._wait(names, scope, deadline, watch, is_any=is_any)
            while scope == "tree" and not (is_any or result["timed_out"]):
                again = self._wait(names, scope, deadline, watch, is_any=is_any)  # for what they spawned meanwhile
                if {agent["id"] for agent in again["agents"]} <= {agent["id"] for agent in result["agents"]}:
                    break
                result = {"agents": _united(result, again), "timed_out": again["timed_out"]}
            return result
        parts = [
            self._wait(names[at : at + MOST], scope, deadline, watch, is_any=False) for at in range(0, len(names), MOST)
        ]
        return {"agents": _united(*parts), "timed_out": any(part["timed_out"] for part in parts)}

    def ids(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return ids for ids and names of agents: a name may belong to another agent later. Raises WireError."""
        return tuple(
            name if _ID.fullmatch(name) else self.call("status", {"ids": [name], "usage": False})["agents"][0]["id"]
            for name in names
        )

    def _wait(
        self, names: tuple[str, ...], scope: str, deadline: float, watch: SideTask | None, *, is_any: bool
    ) -> dict[str, Any]:
        paged: dict[str, object] = {"paged": True}

        def args() -> dict[str, object]:
            left = None if math.isinf(deadline) else max(0.0, deadline - time.monotonic())
            return {"ids": names, "scope": scope, "any": is_any, "timeout": left, **paged}

        try:
            result = self._ask("wait", args, lambda: deadline + PATIENCE, watch)
        except WireError as error:
            if error.code != "bad-request":
                raise
            paged.clear()  # a daemon of an earlier version returns all agents at once
            result = self._ask("wait", args, lambda: deadline + PATIENCE, watch)
        more = result.pop("more", [])
        for at in range(0, len(more), _PAGE):
            result["agents"] += self.call("status", {"ids": more[at : at + _PAGE], "usage": False})["agents"]
        return result

    def _ask(
        self,
        op: str,
        args: Callable[[], Mapping[str, object]],
        until: Callable[[], float],
        watch: SideTask | None,
    ) -> dict[str, Any]:
        request_id = os.urandom(16).hex()
        shaky_until = time.monotonic() + PATIENCE
        while True:
            if self._connection is None:
                self._connection = Connection(self.context, self.target, awaits=lambda: self._awaits)
            frame = pack_request(request_id, op, args())
            if len(frame) > MAX_FRAME:  # the daemon would hang up rather than answer
                raise WireError(
                    "too-large", f"the request has {len(frame)} bytes, more than the maximum of {MAX_FRAME}; split it"
                )
            reply = self._connection.ask(request_id, frame, until(), watch)
            if reply is not None:
                if reply.error is not None:
                    raise reply.error
                if not isinstance(reply.result, dict):
                    raise WireError("bad-frame", f"the result must be a map, not {type(reply.result).__name__}")
                return reply.result
            if self._connection.age > STABLE:
                shaky_until = time.monotonic() + PATIENCE
            self._connection.close()
            self._connection = None
            self._revive(min(until(), shaky_until))

    @cached_property
    def _awaits(self) -> bool:
        """Whether this client waits until another process starts the daemon, as it does inside an agent."""
        return self._starts and isinstance(self.target, Home) and inside.evidence(self.target) is not None

    def _revive(self, until: float) -> None:
        """Start the daemon again, or return when another process is expected to. Raises NoDaemonError."""
        if not isinstance(self.target, Home):
            if time.monotonic() > until:
                raise self.target.silent()
            return
        if time.monotonic() > until:
            raise NoDaemonError(f"the daemon of {self.home.directory} keeps crashing; see {log_of(self.home)}")
        if self._awaits:
            return  # the next connection is made when another process has started a daemon
        if self._starts:
            launcher.ensure(self.home)
        elif not (probe.is_running(self.home) or launcher.is_held(self.home) or launcher.is_awaited(self.home)):
            raise NoDaemonError(f"no daemon is running for {self.home.directory}; start it with `orchctl daemon start`")


def _united(*parts: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the agents of several answers, each as the last answer has it."""
    return list({agent["id"]: agent for part in parts for agent in part["agents"]}.values())


def _renamed(result: dict[str, Any]) -> dict[str, Any]:
    """Return the result of a daemon with today's names of its keys, in the whole and in its parts."""
    for part in (result, result.get("limit"), result.get("daemon")):
        if isinstance(part, dict):
            for old in _RENAMED.keys() & part.keys():
                part[_RENAMED[old]] = part.pop(old)
    return result
