"""Dispatches requests to operations, and sends replies for effects of the core."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from orchd.core.effects import Answer, Effect, Refuse
from orchd.core.inputs import Input
from orchd.core.state.agents import AgentId, RequestId
from orchd.network.callers import seeing
from orchd.network.peers import Outside, Peer
from orchd.network.permissions import check_op
from orchd.protocol.errors import WireError
from orchd.protocol.frames import pack_error, request_id_of, unpack_request
from orchd.server.calls import Call, Reply, Result
from orchd.server.context import Context
from orchd.server.idempotency import ReplyCache, id_in_use
from orchd.server.operations.table import row_of
from orchd.server.pagination import packed
from orchd.server.requests import shaped
from orchd.store.reader import StoredReply

log = logging.getLogger("orchd")

MISTAKES = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)

Route = tuple[bytes, ...]


def run(context: Context, call: Call) -> Result:
    """Call the function of the operation. Raises WireError."""
    return call.operation.run(context, call, call.args)


class Dispatcher:
    """Connects sockets and engine. `change` performs operations that may change something."""

    def __init__(
        self,
        context: Context,
        send: Callable[[Route, bytes], None],
        change: Callable[[Context, Call], Result] = run,
    ) -> None:
        self.context = context
        self._send = send
        self._change = change
        self._cache = ReplyCache(context)

    def accept(self, peer: Peer, frame: bytes) -> Call | None:
        """Return the permitted call of a request; None when it was answered here: it was refused, or is repeated."""
        request_id = ""
        try:
            request = unpack_request(frame)
            request_id = request.id
            caller = self.context.callers.who(peer)
            if caller is Outside.STRANGER:
                log.warning("refused a request of uid %d, pid %d", peer.uid, peer.pid)
            args = shaped(request.op, request.args)
            operation = row_of(args)
            check_op(caller, request.op, operation.role, for_agents=operation.for_agents)
            call = Call(RequestId(request.id), request.op, args, operation, caller, peer)
            if not operation.is_question and self._is_repeated(call):
                return None
            if operation.starts_agents:
                with seeing():
                    self.context.callers.check_confinement(peer, caller)
        except WireError as error:
            self._send(peer.route, pack_error(request_id or request_id_of(frame), error))
            return None
        return call

    def _is_repeated(self, call: Call) -> bool:
        """Return whether this request is pending or was answered; the reply goes to its latest sender."""
        if (pending := self.context.pending.get(call.id)) is not None:
            if pending.caller != call.caller or pending.op != call.op:
                raise id_in_use(call.id)
            self.context.pending[call.id] = pending._replace(peer=call.peer)
            return True
        if (stored := self._cache.stored(call)) is None:
            return False
        self._send(call.peer.route, packed(call.id, stored.result))
        return True

    def handle(self, call: Call) -> Input | None:
        """Perform a call. All inputs before it are decided. Returns the input to decide, where the call is one."""
        try:
            if call.operation.is_question:
                self._send(call.peer.route, self._reply_to_question(call))
                return None
            self.context.pending[call.id] = call
            outcome = self._change(self.context, call)
        except WireError as error:
            self.context.pending.pop(call.id, None)
            self._send(call.peer.route, pack_error(call.id, error))
            return None
        if isinstance(outcome, Reply):
            self.context.pending.pop(call.id, None)  # a key that revokes itself has dropped its own request
            self._send(call.peer.route, packed(call.id, outcome.result))
            return outcome.then
        if isinstance(outcome, Answer):
            self.perform(outcome)
            return None
        return outcome

    def _reply_to_question(self, call: Call) -> bytes:
        """Return the reply to a query. A query changes nothing, so a bug in it does not end the daemon.

        Raises WireError.
        """
        try:
            outcome = run(self.context, call)
            return packed(call.id, outcome.result if isinstance(outcome, Reply) else None)
        except OSError as error:
            raise WireError("busy", f"cannot answer {call.op} now: {error.strerror}; retry later") from None
        except MISTAKES as error:
            log.exception("internal error in %s", call.op)
            message = f"internal error in {call.op}: {error!r:.200}; the daemon's log has the details"
            raise WireError("internal", message) from None

    def replies_to_store(self, effects: Iterable[Effect]) -> list[StoredReply]:
        """Return the replies that repeated requests must get again, computed before they are committed."""
        answers = (
            (effect, self.context.pending.get(effect.request)) for effect in effects if isinstance(effect, Answer)
        )
        replies = (self._cache.to_store(call, answer) for answer, call in answers if call)
        return [reply for reply in replies if reply is not None]

    def perform(self, effect: Answer | Refuse) -> None:
        """Send a reply; do nothing for a client that is gone."""
        if (call := self.context.pending.pop(effect.request, None)) is None:
            self._cache.drop(effect.request)
            return
        self.context.waits.forget(effect.request, call.caller)
        if isinstance(effect, Refuse):
            error = WireError(effect.code, effect.message, effect.details)
            self._send(call.peer.route, pack_error(effect.request, error))
        else:
            self._send(call.peer.route, packed(effect.request, self._cache.pop(call, effect)))

    def prune(self, awaited: Iterable[AgentId]) -> None:
        """Do one slice of pruning, and reply to the requests that it completes. `awaited` agents stay."""
        self.context.pruner.turn(awaited)
        for request, result in self.context.pruner.results():
            if (call := self.context.pending.pop(request, None)) is not None:
                self._send(call.peer.route, packed(request, result))

    def watch(self, agent: AgentId, request: RequestId) -> Input | None:
        """Watch the client that is blocked in a wait of an agent's. Returns its end, if it has died."""
        gone, refusal = self.context.waits.watch(agent, request)
        if refusal is not None:
            self.perform(refusal)
        return gone

    def news(self) -> list[Input]:
        """Answer waits that have timed out. Returns the ends of clients that have died."""
        gone, late = self.context.waits.news()
        for answer in late:
            self.perform(answer)
        return gone

    def ended(self, agents: Iterable[AgentId], flush: Callable[[], None]) -> None:
        """Answer callers outside every agent that waited for these agents. `flush` writes the session files before: a
        client that learns of an end may read them."""
        if answers := self.context.waits.ended(agents):
            flush()
        for answer in answers:
            self.perform(answer)
