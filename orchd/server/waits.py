"""Clients that are blocked in a wait: the core decides waits of agents, other waits are deferred replies."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from orchd.core import inputs
from orchd.core.effects import Answer, Refuse
from orchd.core.inputs import Input
from orchd.core.state.agents import AgentId, Instant, RequestId
from orchd.core.state.state import State
from orchd.network.callers import Caller, agent_of, seeing
from orchd.network.roles import RemoteClient
from orchd.processes.linux.descriptors import check_for_client
from orchd.processes.linux.exit_watch import ExitWatch
from orchd.processes.linux.procfs import read_process
from orchd.protocol.errors import WireError
from orchd.server.calls import Call, PendingRequests, Result
from orchd.server.external_waits import ExternalWait, ExternalWaits

_MOST = 1024  # of one process; each takes a descriptor, and others need some too
_MOST_REMOTE = 256  # of one key


class Waits:
    """Blocked clients, and the detection of their death."""

    def __init__(
        self,
        state: State,
        clock: Callable[[], Instant],
        is_there: Callable[[tuple[bytes, ...]], bool],
        pending: PendingRequests,
    ) -> None:
        self._state = state
        self._clock = clock
        self._is_there = is_there
        self._pending = pending
        self._external = ExternalWaits(lambda ids: {agent.id for agent in state.unfinished(ids)})
        self._clients: ExitWatch[tuple[RequestId, AgentId | None]] = ExitWatch()

    def fileno(self) -> int:
        """Return the descriptor that is readable when a client that was blocked in a wait has died."""
        return self._clients.fileno()

    def begin(self, call: Call, targets: tuple[AgentId, ...]) -> Result:
        """Return the core's input for an agent's wait; for any other caller the answer, or None when it follows later.

        Raises WireError.
        """
        args, peer, caller = call.args, call.peer, call.caller
        if isinstance(caller, RemoteClient):
            self._make_room(caller)
            return self._begin_external(call, targets)
        if self._clients.count(peer.pid) >= _MOST:
            raise WireError("busy", f"the caller already has {_MOST} pending waits; retry when some have ended")
        with seeing():
            process = read_process(peer.pid)
        if process is None:
            del self._pending[call.id]
            return None
        if isinstance(caller, str):
            return inputs.BeginWait(call.id, caller, targets, args.any, args.timeout, process.pid, process.started)
        return self._begin_external(call, targets)

    def _begin_external(self, call: Call, targets: tuple[AgentId, ...]) -> Answer | None:
        """Add a wait of an outside caller; return its answer if it is known now. The death of a remote client is not
        reported, so `_make_room` checks for it later."""
        request, args, now = call.id, call.args, self._clock().mono
        deadline = None if args.timeout is None else now + args.timeout
        wait = ExternalWait(request, targets, args.any, deadline, self._external.unfinished(targets))
        if wait.is_satisfied() or not targets:
            return Answer(request, targets)
        if args.timeout == 0:
            return Answer(request, targets, timed_out=True)
        with seeing():
            check_for_client()
            peer = call.peer
            is_watched = peer.remote_client is not None or self._clients.process((request, None), peer.pid)
        if is_watched:
            self._external.add(wait)
        else:
            del self._pending[request]
        return None

    def _make_room(self, remote_client: RemoteClient) -> None:
        """Drop waits of closed connections, when a client has many. Raises WireError when none is closed."""
        own = [request for request in self._requests_of(remote_client.key) if self._pending[request].op == "wait"]
        if len(own) <= _MOST_REMOTE:
            return
        gone = [request for request in own if not self._is_there(self._pending[request].peer.route)]
        if not gone:
            raise WireError(
                "busy", f"{remote_client} already has {_MOST_REMOTE} pending waits; retry when some have ended"
            )
        self._drop(gone)

    def drop_all_of(self, key: str) -> None:
        """Drop all pending requests of this key."""
        self._drop(self._requests_of(key))

    def _requests_of(self, key: str) -> list[RequestId]:
        """Return the pending requests of the clients with this key."""
        callers = ((request, pending.caller) for request, pending in self._pending.items())
        return [request for request, caller in callers if isinstance(caller, RemoteClient) and caller.key == key]

    def _drop(self, requests: Iterable[RequestId]) -> None:
        for request in requests:
            del self._pending[request]
            self._external.drop(request)

    def forget(self, request: RequestId, caller: Caller) -> None:
        """End the watch of the client of an answered request."""
        self._clients.forget((request, agent_of(caller)))

    def targets(self) -> Iterable[AgentId]:
        """Return the agents that callers outside every agent wait for."""
        return self._external.targets()

    def watch(self, agent: AgentId, request: RequestId) -> tuple[Input | None, Refuse | None]:
        """Report when the client blocked in this wait of an agent's dies. Returns its end, if it has died, and the
        refusal of a wait that cannot be watched."""
        refusal = None
        wait = self._state.agents[agent].waits.get(request)
        if wait is None:
            return None, None
        try:
            with seeing():
                check_for_client()
                process = read_process(wait.caller)
                is_same = process is not None and process.started == wait.caller_started and not process.is_zombie
                if is_same and self._clients.process((request, agent), wait.caller):
                    return None, None
        except WireError as busy:  # an unwatched wait might never end
            refusal = Refuse(request, busy.code, busy.message, busy.details)
        return inputs.CallerGone(agent, request), refusal

    def news(self) -> tuple[list[Input], list[Answer]]:
        """Return the ends of clients that have died, and the answers of waits that have timed out."""
        gone: list[Input] = []
        for (request, agent), _ in self._clients.fired():
            self._pending.pop(request, None)
            self._external.drop(request)
            if agent is not None:
                gone.append(inputs.CallerGone(agent, request))
        late = self._external.expired(self._clock().mono)
        return gone, [Answer(wait.request, wait.targets, timed_out=True) for wait in late]

    def disconnected(self, connections: Iterable[bytes]) -> list[Input]:
        """Return the ends of waits whose local connections have ended, even if their processes still run."""
        gone = set(connections)
        waits = (
            [(request, pending) for request, pending in self._pending.items() if pending.op == "wait"] if gone else []
        )
        inputs_: list[Input] = []
        for request, pending in waits:
            if not isinstance(pending.caller, RemoteClient) and pending.peer.route[0] in gone:
                del self._pending[request]
                self._external.drop(request)
                self.forget(request, pending.caller)
                if (agent := agent_of(pending.caller)) is not None:
                    inputs_.append(inputs.CallerGone(agent, request))
        return inputs_

    def ended(self, agents: Iterable[AgentId]) -> list[Answer]:
        """Return the answers of callers outside every agent that waited for these agents."""
        return [Answer(done.request, done.targets) for done in self._external.ended(agents)]

    def next_deadline(self) -> float | None:
        """Return when the next wait of an outside caller times out; None without any."""
        return self._external.next_deadline()
