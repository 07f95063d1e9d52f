"""The outer layers in one process, without a socket and without a loop: a test asks, turns, and reads the replies.

Everything is real but the port: what a reply would be sent to is a list, and who asks is told by the test.
"""

from __future__ import annotations

import itertools
import os
import select
import signal
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from orchd.core.inputs import Admit, Input, Tick
from orchd.core.state.agents import Agent, Instant, RequestId
from orchd.daemon.sd_notify import Notifier
from orchd.daemon.wiring import RemoteAccess, build_components
from orchd.instance.config import Config
from orchd.instance.home import Home
from orchd.network.callers import Caller
from orchd.network.keyring import Keyring
from orchd.network.peers import Peer
from orchd.processes.linux.procfs import all_processes, environment_markers, read_process
from orchd.protocol.errors import WireError
from orchd.protocol.frames import pack_request, unpack_reply
from orchd.server.calls import Call, Reply
from orchd.server.operations.table import row_of
from orchd.store.database import Store
from tests.support.peers import peer_of

SOMEBODY = 1  # a process that is no agent and that lives as long as the test


class Bench:
    """One daemon in pieces."""

    def __init__(self, directory: Path, config: Config | None = None) -> None:
        self.home = Home(directory)
        self.home.create()
        self.ahead = 0.0  # seconds by which the clock that is compared goes fast
        self.replies: list[tuple[tuple[bytes, ...], Any]] = []
        settings = replace(config or Config(), cgroups="off")
        self.store = Store(self.home.database)
        door = RemoteAccess(Keyring(self.home.keys), None)
        self.parts = build_components(self.home, settings, self.store, door, self.clock, Notifier(), send=self._replied)
        self.context = self.parts.context
        self.state, self.records = self.context.state, self.context.records
        self.environments, self.given = self.context.environments, self.context.given
        self.processes, self.callers, self.pruner = self.context.processes, self.context.callers, self.context.pruner
        self.dispatcher, self.shell, self.engine = self.parts.dispatcher, self.parts.shell, self.parts.engine
        self.scribe = self.parts.scribe
        self._numbers = itertools.count(1)

    def configure(self, **keys: Any) -> None:
        """Use a configuration with these keys from now on."""
        self.parts.settings.adopt(replace(self.parts.settings.current, **keys))

    def run(self, caller: Caller, fields: Any) -> Any:
        """The result of an operation for this caller: an input, or the answer to a question."""
        operation = row_of(fields)
        peer = Peer((b"c",), os.getuid(), SOMEBODY)
        outcome = operation.run(self.context, Call(RequestId("r"), "", fields, operation, caller, peer), fields)
        return outcome.result if isinstance(outcome, Reply) else outcome

    def _replied(self, route: tuple[bytes, ...], frame: bytes) -> None:
        self.scribe.before_reply()
        self.replies.append((route, unpack_reply(frame)))

    def clock(self) -> Instant:
        """The current moment."""
        return Instant(time.clock_gettime(time.CLOCK_BOOTTIME) + self.ahead, time.time())

    def feed(self, *events: Input) -> None:
        """Decide, and what follows."""
        pending = list(events)
        while pending or self.engine.has_more:
            self.engine.feed(pending or [Admit()])
            self.engine.finish()
            self.dispatcher.ended(self.engine.ended(), self.engine.finish)
            pending, self.shell.backlog = self.shell.backlog, []
            self.shell.next_turn()
        self.shell.stop_all()
        self.records.let_go()

    def send(
        self,
        op: str,
        args: dict[str, Any] | None = None,
        *,
        request: str = "",
        pid: int = SOMEBODY,
        uid: int | None = None,
        route: bytes = b"c",
    ) -> str:
        """Send a request; its id."""
        request_id = request or f"r{next(self._numbers)}"
        peer = peer_of(self.callers, pid, uid, route)
        call = self.dispatcher.accept(peer, pack_request(request_id, op, args or {}))
        event = self.dispatcher.handle(call) if call else None
        if event is not None:
            self.feed(event)
        return request_id

    def ask(self, op: str, args: dict[str, Any] | None = None, **how: Any) -> Any:
        """The result of a request that is answered at once; raises its error."""
        request_id = self.send(op, args, **how)
        return self.reply(request_id)

    def reply(self, request: str) -> Any:
        """The last reply to a request."""
        replies = [reply for _, reply in self.replies if reply.id == request]
        assert replies, f"no reply to {request}"
        if replies[-1].error is not None:
            raise replies[-1].error
        return replies[-1].result

    def is_answered(self, request: str) -> bool:
        """Whether there is a reply."""
        return any(reply.id == request for _, reply in self.replies)

    def code(self, op: str, args: dict[str, Any] | None = None, **how: Any) -> str:
        """The code with which a request is refused."""
        try:
            self.ask(op, args, **how)
        except WireError as error:
            return error.code
        return ""

    def spawn(self, *command: str, env: dict[str, str] | None = None, **fields: Any) -> Agent:
        """A new agent."""
        base = {"PATH": os.environ["PATH"], "ORCHD_DEFAULT_RUNNER": "mock"} if env is None else env
        args = {"agents": [{"command": list(command), **fields}], "cwd": "/", "env": base}
        (ticket,) = self.ask("spawn", args)["agents"]
        return self.agent(ticket["id"])

    def agent(self, agent_id: str) -> Agent:
        """An agent as it stands."""
        return self.records.find(agent_id)

    def turn(self, timeout: float = 10.0) -> None:
        """Wait for news, and take it."""
        assert self.is_news(timeout), "no news"
        for pid in self.processes.shims():  # a daemon's children vanish by themselves
            with suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
        self.feed(*self.processes.news(), *self.dispatcher.news())
        self.processes.rest()

    def is_news(self, timeout: float) -> bool:
        """Whether there is news within this time."""
        poll = select.poll()
        poll.register(self.processes.fileno(), select.POLLIN)
        poll.register(self.context.waits.fileno(), select.POLLIN)
        return bool(poll.poll(timeout * 1000))

    def tick(self, seconds: float = 0.0) -> None:
        """Let time pass on the clock that deadlines use."""
        self.ahead += seconds
        self.feed(*self.dispatcher.news(), Tick())

    def until_over(self, *agents: Agent) -> None:
        """Turn until these agents have ended; one stopped before it had begun needs its grace to pass."""
        while not all(self.agent(agent.id).is_over for agent in agents):
            if not self.is_news(2.0):
                self.tick(self.parts.settings.current.grace + 1)
            self.turn()

    def prune(self, **fields: object) -> Any:
        """The answer of `prune`, once everything to be pruned is gone."""
        request_id = self.send("prune", fields)
        self.calm()
        return self.reply(request_id)

    def calm(self) -> None:
        """Let the pruner finish."""
        self.records.let_go()
        while self.pruner.is_due():
            self.store.finish()
            self.prune_slice()
        self.store.finish()

    def prune_slice(self) -> None:
        """One slice of pruning, and the replies that it completes."""
        self.dispatcher.prune(self.context.waits.targets())

    def _is_ours(self, pid: int) -> bool:
        """Whether a process is of this bench, by its session too: between two programs a process shows no marks."""
        process = read_process(pid)
        is_of_ours = process is not None and process.session in self.processes.shims()
        return is_of_ours or environment_markers(pid).get("ORCHD_HOME") == str(self.home.directory)

    def close(self) -> None:
        """End every process that was started here, and wait for its end."""
        while pids := [pid for pid in all_processes() if self._is_ours(pid)]:  # a shim may fork while it is looked at
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        for watch in (self.processes._watch, self.context.waits._clients):
            for descriptor in watch._watched:
                os.close(descriptor)
            watch._epoll.close()
        self.store.close()
