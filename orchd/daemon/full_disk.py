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
from math import inf
from typing import NamedTuple

import zmq

from orchd.core.effects import Answer, Refuse
from orchd.core.state.agents import AgentId, Instant, RequestId
from orchd.daemon.presence import Presence
from orchd.daemon.sd_notify import Notifier
from orchd.daemon.wiring import Components, identity
from orchd.errors import DiskFull
from orchd.instance.home import Home
from orchd.instance.system.locks import is_locked
from orchd.monitors.disk_space import LOOK_AGAIN, has_room
from orchd.network.peers import Outside, Peer
from orchd.network.permissions import REFUSED
from orchd.network.sockets import LocalSockets
from orchd.processes.attempt_files import files_of
from orchd.protocol import operations as wire_ops
from orchd.protocol.errors import WireError
from orchd.protocol.frames import pack_error, pack_result, request_id_of, unpack_request
from orchd.server.calls import Call, Result
from orchd.server.context import Context
from orchd.server.dispatcher import Route, run
from orchd.server.operations.agents import wait_targets
from orchd.server.requests import shaped

log = logging.getLogger("orchd")


def refusal(home: Home, *, can_prune: bool = True) -> WireError:
    """Return the error that answers a change."""
    what = f"the disk of {home.directory} is full and the daemon cannot write; free some space there"
    way_out = ": `orchctl prune --keep 0` deletes finished agents and their logs"
    return WireError("disk-full", f"{what}{way_out if can_prune else ''}")


@dataclass(slots=True)
class Signals:
    """Requests by signals since the last turn."""

    leaving: bool = False

    def leave(self) -> None:
        """End at the next turn, leaving agents as they are."""
        self.leaving = True


class _Wait(NamedTuple):
    """A wait that is not answered yet."""

    deadline: float  # seconds of the daemon's clock; infinite without a time-out
    late: Answer | tuple[Route, bytes]  # what answers it then; without the database the packed reply itself


class WithoutRoom:
    """Performs the operations that may change something while nothing can be written: the few that need no room, or
    that make some. Waits are held until their time-outs, or until a normal daemon answers them."""

    def __init__(self, home: Home, clock: Callable[[], Instant]) -> None:
        self._home = home
        self._clock = clock
        self._waits: dict[RequestId, _Wait] = {}
        self.has_freed = False  # the reserve, or what was pruned: a normal daemon may have enough

    def __call__(self, context: Context, call: Call) -> Result:
        """Perform a call, or raise WireError `disk-full`."""
        args = call.args
        if isinstance(args, wire_ops.Stop) and args.agents == "keep":
            return run(context, call)
        if isinstance(args, wire_ops.Prune):
            # Here only agents whose end is recorded can be deleted. A normal daemon would first record the end of the
            # others, and might delete them before the clients that wait for them are connected again.
            if not args.dry_run:
                self.free_reserve()  # for the changes of the database
            return run(context, call)
        if isinstance(args, wire_ops.Wait):
            targets = wait_targets(context, call.caller, args)
            unfinished = sum(1 for _ in context.state.unfinished(targets))
            if not unfinished or (args.any and unfinished < len(targets)):
                return Answer(call.id, targets)
            self.hold(call.id, args.timeout, Answer(call.id, targets, timed_out=True))
            return None
        raise refusal(self._home)

    def free_reserve(self) -> bool:
        """Delete the reserve, for a normal daemon may have enough room then. Returns whether there was one."""
        try:
            self._home.reserve.unlink()
        except FileNotFoundError:
            return False
        self.has_freed = True
        return True

    def hold(self, request: RequestId, timeout: float | None, late: Answer | tuple[Route, bytes]) -> None:
        """Keep a wait until its time-out, when `late` answers it."""
        self._waits[request] = _Wait(inf if timeout is None else self._clock().mono + timeout, late)

    def targets(self) -> set[AgentId]:
        """Return the targets of all waits."""
        answers = (wait.late for wait in self._waits.values())
        return {target for late in answers if isinstance(late, Answer) for target in late.agents}

    def deadlines(self) -> list[float]:
        """Return the time-out of each wait."""
        return [wait.deadline for wait in self._waits.values()]

    def expired(self) -> list[Answer | tuple[Route, bytes]]:
        """Forget the waits that have timed out. Returns what answers them."""
        now = self._clock().mono
        requests = [request for request, wait in self._waits.items() if wait.deadline <= now]
        return [self._waits.pop(request).late for request in requests]


class FullDisk:
    """Serves until there is room, or until the daemon is to leave."""

    def __init__(
        self,
        home: Home,
        parts: Components | None,  # None: the database cannot be read
        ports: LocalSockets,
        presence: Presence,
        wakeup: int,
        notify: Notifier,
        clock: Callable[[], Instant],
        signals: Signals,
        without_room: WithoutRoom,
    ) -> None:
        self._home = home
        self._parts = parts
        self._ports = ports
        self._presence = presence
        self._wakeup = wakeup
        self._notify = notify
        self._clock = clock
        self._signals = signals
        self._without_room = without_room
        self._started = clock().mono
        self._look_at = self._started + LOOK_AGAIN  # a normal daemon has just failed
        self._poller = zmq.Poller()
        logs = () if parts is None else (parts.context.processes.logs.fileno(),)
        for readable in (ports.fileno(), wakeup, *logs, presence.fileno()):
            self._poller.register(readable, zmq.POLLIN)

    def run(self) -> bool:
        """Serve. Returns True when there is room, False when the daemon is to leave. Raises DiskFull when pruning needs
        more room than there is."""
        while not self._is_leaving():
            self._notify.live(self._now())
            self._notify.status(f"disk full: {self._home.directory}; free some space, or `orchctl prune`", self._now())
            if is_due := self._now() >= self._look_at:
                self._look_at = self._now() + LOOK_AGAIN
            if self._without_room.has_freed or (is_due and has_room(self._home.directory)):
                log.info("the disk of %s has free space again", self._home.directory)
                return True
            logs = None if self._parts is None else self._parts.context.processes.logs.next_deadline()
            moments = (self._look_at, self._notify.next_deadline(), logs, *self._without_room.deadlines())
            due = min(moment for moment in moments if moment is not None)
            ready = dict(self._poller.poll(max(0, round((due - self._now()) * 1000) + 1)))
            if self._wakeup in ready:
                os.read(self._wakeup, 4096)
            if self._presence.fileno() in ready and not self._presence.keep():
                self._signals.leaving = True
            self._answer()
        self._notify.stopping()
        return False

    def _now(self) -> float:
        return self._clock().mono

    def _is_leaving(self) -> bool:
        return self._signals.leaving or (self._parts is not None and self._parts.context.is_leaving)

    def _answer(self) -> None:
        """Answer the requests that have come, and the waits that have timed out."""
        if self._parts is not None:
            self._parts.context.processes.logs.look()  # logs of agents that run are still kept within their bound
        for peer, frame in self._ports.requests():
            if self._is_leaving():
                return
            self._receive(peer, frame)
        for late in self._without_room.expired():
            if not isinstance(late, Answer):
                self._ports.reply(*late)
            elif self._parts is not None:
                self._parts.dispatcher.perform(late)

    def _receive(self, peer: Peer, frame: bytes) -> None:
        """Perform a request, and prune at once what it asks to prune."""
        if self._parts is None:
            self._answer_alone(peer, frame)
            return
        dispatcher, pruner, store = self._parts.dispatcher, self._parts.context.pruner, self._parts.context.store
        if (call := dispatcher.accept(peer, frame)) is not None:
            dispatcher.handle(call)
        if not pruner.asked():
            return
        error, before = refusal(self._home), store.pruned.agents
        try:
            while pruner.is_due():  # the files of each agent go first, and that needs no room
                dispatcher.prune(self._without_room.targets())
                store.finish()
        except DiskFull:
            for request in pruner.asked():
                dispatcher.perform(Refuse(request, error.code, error.message))
            raise
        self._without_room.has_freed |= store.pruned.agents > before

    def _answer_alone(self, peer: Peer, frame: bytes) -> None:
        """Answer a request without the database: which daemon this is, and that the disk is full."""
        try:
            request = unpack_request(frame)
        except WireError as error:
            self._ports.reply(peer.route, pack_error(request_id_of(frame), error))
            return
        if peer.uid != os.getuid():
            stranger = WireError("forbidden", f"permission denied: {REFUSED[Outside.STRANGER]}")
            self._ports.reply(peer.route, pack_error(request.id, stranger))
        elif request.op == "daemon":
            own = identity(self._home) | {
                "uptime_seconds": round(self._now() - self._started, 3),
                "resource_limits": {},
                "cgroups": None,
                "disk_full": True,
            }
            self._ports.reply(peer.route, pack_result(request.id, own))
        elif request.op == "stop":
            self._signals.leaving = True
            self._ports.reply(peer.route, pack_result(request.id, {"living": 0, "agents": []}))
        elif request.op == "wait":
            try:
                args = shaped(request.op, request.args)
            except WireError as error:
                self._ports.reply(peer.route, pack_error(request.id, error))
                return
            # the agents cannot be read, so the reply to a wait that times out names none
            late = pack_result(request.id, {"agents": [], "timed_out": True})
            timeout = args.timeout if isinstance(args, wire_ops.Wait) else None
            self._without_room.hold(RequestId(request.id), timeout, (peer.route, late))
        elif request.op != "prune" or not self._without_room.free_reserve():  # else a normal daemon gets it again
            # without a reserve a normal daemon has no room to start, and nothing but this daemon could prune
            refused = refusal(self._home, can_prune=self._home.reserve.exists())
            self._ports.reply(peer.route, pack_error(request.id, refused))


def take_up(parts: Components, stack: ExitStack) -> None:
    """Load the state from the database and follow live attempts, so that calling agents are identified."""
    context = parts.context
    context.records.restore(parts.unfinished, context.clock().mono)
    context.state.has_disk_pressure = True
    context.is_disk_full = True
    for agent in context.state.living.values():
        if is_locked(files_of(context.home, agent.id, agent.attempt).record):  # a normal daemon adopts the others
            context.processes.adopt(agent)
    stack.callback(context.processes.close)
