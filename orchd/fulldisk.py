"""The daemon while the disk of its home is full: it answers what can be read, refuses changes, and waits for room.

A daemon whose commit fails replaces itself by one in this mode, so that nothing of what it had decided is left. There
is room again when a file of the size of the reserve can be written; then this one replaces itself by a normal daemon.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from math import inf

import zmq

from orchd.core.inputs import Input
from orchd.core.model import Instant, RequestId
from orchd.errors import DiskFull
from orchd.gateway import Gateway
from orchd.notify import Notifier
from orchd.parts import Parts
from orchd.peers import Peer
from orchd.ports import Ports
from orchd.presence import Presence
from orchd.space import LOOK_AGAIN, has_room
from orchd.wire import Home, WireError, pack_error, pack_result
from orchd.wire import ops as wire_ops
from orchd.wire.frames import request_id_of, unpack_request

log = logging.getLogger("orchd")


def refusal(home: Home) -> WireError:
    """The error that answers a change."""
    return WireError(
        "disk-full",
        f"the disk of {home.directory} is full, and the daemon can write nothing: free some space there; "
        "`orchctl prune --keep 0` deletes finished agents and their logs",
    )


@dataclass(slots=True)
class Signals:
    """What signals asked for since the last turn."""

    leaving: bool = False

    def leave(self) -> None:
        """End at the next turn, leaving agents as they are."""
        self.leaving = True


class FullDisk:
    """Serves until there is room, or until the daemon is to leave."""

    def __init__(
        self,
        home: Home,
        parts: Parts | None,  # None: the database cannot be read
        ports: Ports,
        presence: Presence,
        wakeup: int,
        notify: Notifier,
        clock: Callable[[], Instant],
        signals: Signals,
    ) -> None:
        self._home = home
        self._parts = parts
        self._ports = ports
        self._presence = presence
        self._wakeup = wakeup
        self._notify = notify
        self._clock = clock
        self._signals = signals
        self._waits: dict[RequestId, float] = {}  # until when: they are answered when there is room, or at that time
        self._started = clock().mono
        self._look_at = self._started + LOOK_AGAIN  # a normal daemon has just failed
        self._has_freed = False  # the reserve, or what was pruned: a normal daemon may have enough
        self._poller = zmq.Poller()
        logs = () if parts is None else (parts.processes.logs.fileno(),)
        for readable in (ports.fileno(), wakeup, *logs, *([presence.fileno()] if presence.fileno() >= 0 else [])):
            self._poller.register(readable, zmq.POLLIN)
        if parts is not None:
            parts.gateway.refuse_changes(partial(self._changed, parts.gateway))

    def run(self) -> bool:
        """Serve; True when there is room, False when the daemon is to leave. Raises DiskFull when pruning needs more
        room than there is."""
        while not self._is_leaving():
            self._notify.live(self._now())
            self._notify.status(f"disk full: {self._home.directory}; free some space, or `orchctl prune`", self._now())
            if self._has_room():
                log.info("there is room on the disk of %s again", self._home.directory)
                return True
            self._turn(dict(self._poller.poll(self._patience())))
        self._notify.stopping()
        return False

    def _now(self) -> float:
        return self._clock().mono

    def _is_leaving(self) -> bool:
        return self._signals.leaving or (self._parts is not None and self._parts.gateway.leaving)

    def _has_room(self) -> bool:
        if self._has_freed:
            return True
        if self._now() < self._look_at:
            return False
        self._look_at = self._now() + LOOK_AGAIN
        return has_room(self._home.directory)

    def _patience(self) -> int:
        logs = None if self._parts is None else self._parts.processes.logs.next_deadline()
        moments = (self._look_at, self._notify.next_deadline(), logs, *self._waits.values())
        due = min(moment for moment in moments if moment is not None)
        return max(0, round((due - self._now()) * 1000) + 1)

    def _turn(self, ready: dict[object, int]) -> None:
        if self._wakeup in ready:
            os.read(self._wakeup, 4096)
        if self._presence.fileno() in ready and not self._presence.keep():
            self._signals.leaving = True
        if self._parts is not None:
            self._parts.processes.logs.look()  # logs of agents that run are still kept within their bound
        for peer, frame in self._ports.requests():
            if self._is_leaving():
                return
            self._receive(peer, frame)
        if self._parts is not None:
            self._let_waits_end(self._parts.gateway)

    def _receive(self, peer: Peer, frame: bytes) -> None:
        if self._parts is None:
            self._answer_alone(peer, frame)
            return
        self._parts.gateway.receive(peer, frame, lambda: None)
        if self._parts.pruner.is_asked():
            self._prune(self._parts)

    def _changed(self, gateway: Gateway, request: RequestId, asked: object) -> Input | None:
        """Handle a request for a change, in the place of the gateway. Raises WireError."""
        if isinstance(asked, wire_ops.Stop) and asked.agents == "keep":
            return gateway.stop(request, asked)
        if isinstance(asked, wire_ops.Prune):
            if not self._free_reserve():  # with it a normal daemon does this, when the request is sent again
                gateway.prune(request, asked)
            return None
        if isinstance(asked, wire_ops.Wait):
            self._waits[request] = inf if asked.timeout is None else self._now() + asked.timeout
            return None
        raise refusal(self._home)

    def _let_waits_end(self, gateway: Gateway) -> None:
        for request, deadline in list(self._waits.items()):
            if deadline <= self._now():
                del self._waits[request]
                gateway.fail(request, refusal(self._home))

    def _prune(self, parts: Parts) -> None:
        """Prune what is finished: the disk is short, so the files of each agent go first, and that needs no room."""
        try:
            while parts.pruner.is_due():
                parts.pruner.turn()
                parts.store.finish()
        except DiskFull:
            parts.gateway.fail_all(refusal(self._home))
            raise
        self._has_freed = True

    def _free_reserve(self) -> bool:
        """Delete the reserve; whether there was one."""
        try:
            self._home.reserve.unlink()
        except FileNotFoundError:
            return False
        self._has_freed = True
        return True

    def _answer_alone(self, peer: Peer, frame: bytes) -> None:
        """Answer without the database: who is there, and that the disk is full."""
        try:
            request = unpack_request(frame)
        except WireError as error:
            self._ports.reply(peer.route, pack_error(request_id_of(frame), error))
            return
        if peer.uid != os.getuid():
            stranger = WireError("forbidden", "this daemon serves another user; start your own")
            self._ports.reply(peer.route, pack_error(request.id, stranger))
        elif request.op == "daemon":
            self._ports.reply(peer.route, pack_result(request.id, self._identity()))
        elif request.op == "stop":
            self._signals.leaving = True
            self._ports.reply(peer.route, pack_result(request.id, {"living": 0, "agents": []}))
        elif request.op != "prune" or not self._free_reserve():
            self._ports.reply(peer.route, pack_error(request.id, refusal(self._home)))

    def _identity(self) -> dict[str, object]:
        return {
            "pid": os.getpid(),
            "version": version("orchd"),
            "socket": str(self._home.socket),
            "home": str(self._home.directory),
            "uptime_seconds": round(self._now() - self._started, 3),
            "bounds": {},
            "cgroups": None,
            "disk_full": True,
        }


def take_up(parts: Parts, stack: ExitStack) -> None:
    """Know what the database has, and follow the attempts that are alive, so that agents are known when they call."""
    parts.records.restore(parts.unfinished, parts.clock().mono)
    parts.state.is_short = True
    parts.processes.follow(parts.state.living.values())
    stack.callback(parts.processes.close)
