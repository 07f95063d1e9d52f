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

from orchd.core.effects import Answer
from orchd.core.inputs import Input
from orchd.core.state.agents import AgentId, Instant, RequestId
from orchd.daemon.presence import Presence
from orchd.daemon.sd_notify import Notifier
from orchd.daemon.wiring import Parts
from orchd.errors import DiskFull
from orchd.instance.home import Home
from orchd.monitors.disk_space import LOOK_AGAIN, has_room
from orchd.network.callers import Caller
from orchd.network.peers import Peer
from orchd.network.sockets import Ports
from orchd.protocol import operations as wire_ops
from orchd.protocol.errors import WireError
from orchd.protocol.frames import Request, pack_error, pack_result, request_id_of, unpack_request
from orchd.server.dispatcher import Gateway
from orchd.server.requests import shaped

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


@dataclass(frozen=True, slots=True)
class _Held:
    """A wait that cannot be answered before there is room, or before its own time-out."""

    deadline: float  # seconds of the daemon's clock; infinite without a time-out
    end: Callable[[], None]  # answers that the time is up
    targets: tuple[AgentId, ...] = ()


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
        self._waits: dict[RequestId, _Held] = {}
        self._started = clock().mono
        self._look_at = self._started + LOOK_AGAIN  # a normal daemon has just failed
        self._has_freed = False  # the reserve, or what was pruned: a normal daemon may have enough
        self._poller = zmq.Poller()
        logs = () if parts is None else (parts.processes.logs.fileno(),)
        for readable in (ports.fileno(), wakeup, *logs, presence.fileno()):
            self._poller.register(readable, zmq.POLLIN)
        if parts is not None:
            parts.gateway.refuse_changes(partial(self._changed, parts.gateway))
            parts.pruner.onlooked = lambda: {target for held in self._waits.values() for target in held.targets}

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
        moments = (self._look_at, self._notify.next_deadline(), logs, *self._deadlines())
        due = min(moment for moment in moments if moment is not None)
        return max(0, round((due - self._now()) * 1000) + 1)

    def _deadlines(self) -> list[float]:
        return [held.deadline for held in self._waits.values()]

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
        self._let_waits_end()

    def _receive(self, peer: Peer, frame: bytes) -> None:
        if self._parts is None:
            self._answer_alone(peer, frame)
            return
        self._parts.gateway.receive(peer, frame, lambda: None)
        if self._parts.pruner.asked():
            self._prune(self._parts)

    def _changed(self, gateway: Gateway, request: RequestId, caller: Caller, asked: object) -> Input | None:
        """Handle a request for a change, in the place of the gateway. Raises WireError."""
        if isinstance(asked, wire_ops.Stop) and asked.agents == "keep":
            return gateway.stop(request, asked)
        if isinstance(asked, wire_ops.Prune):
            # Here only agents whose end is recorded can be deleted. A normal daemon would first record the end of the
            # others, and might delete them before the clients that wait for them are connected again.
            if not asked.dry_run:
                self._free_reserve()  # for the changes of the database
            gateway.prune(request, asked)
            return None
        if isinstance(asked, wire_ops.Wait):
            self._wait(gateway, request, gateway.targets(caller, asked), asked)
            return None
        raise refusal(self._home)

    def _wait(self, gateway: Gateway, request: RequestId, targets: tuple[AgentId, ...], asked: wire_ops.Wait) -> None:
        """Answer a wait whose outcome is recorded, and hold any other."""
        unfinished = sum(1 for _ in gateway.unfinished(targets))
        if not unfinished or (asked.any and unfinished < len(targets)):
            gateway.do(Answer(request, targets))
            return
        late = Answer(request, targets, timed_out=True)
        self._waits[request] = _Held(self._until(asked.timeout), partial(gateway.do, late), targets)

    def _until(self, timeout: float | None) -> float:
        return inf if timeout is None else self._now() + timeout

    def _let_waits_end(self) -> None:
        for request, held in list(self._waits.items()):
            if held.deadline <= self._now():
                del self._waits[request]
                held.end()

    def _prune(self, parts: Parts) -> None:
        """Prune what is finished: the disk is short, so the files of each agent go first, and that needs no room."""
        before = parts.store.pruned.agents
        try:
            while parts.pruner.is_due():
                parts.pruner.turn()
                parts.store.finish()
        except DiskFull:
            for request in parts.pruner.asked():
                parts.gateway.fail(request, refusal(self._home))
            raise
        self._has_freed = self._has_freed or parts.store.pruned.agents > before

    def _free_reserve(self) -> bool:
        """Delete the reserve, for a normal daemon may have enough room then. Returns whether there was one."""
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
        elif request.op == "wait":
            self._wait_alone(peer, request)
        elif request.op != "prune" or not self._free_reserve():  # a normal daemon prunes, when it is asked again
            self._ports.reply(peer.route, pack_error(request.id, refusal(self._home)))

    def _wait_alone(self, peer: Peer, request: Request) -> None:
        """Hold a wait for agents of which nothing can be read."""
        try:
            asked = shaped(request.op, request.args)
        except WireError as error:
            self._ports.reply(peer.route, pack_error(request.id, error))
            return
        late = pack_result(request.id, {"agents": [], "timed_out": True})
        end = partial(self._ports.reply, peer.route, late)
        timeout = asked.timeout if isinstance(asked, wire_ops.Wait) else None
        self._waits[RequestId(request.id)] = _Held(self._until(timeout), end)

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
