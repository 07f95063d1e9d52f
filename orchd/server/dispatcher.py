"""The gateway: requests become inputs or are answered from what is known; effects become replies."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

from orchd.core import inputs
from orchd.core.effects import Answer, Effect, Refuse
from orchd.core.inputs import Input
from orchd.core.state.agents import Agent, AgentId, Instant, RequestId, State
from orchd.errors import ConfigError
from orchd.network.callers import Caller, Callers, seeing
from orchd.network.peers import Outside, Peer
from orchd.network.permissions import check_op
from orchd.network.subscribers import Visitors
from orchd.protocol import operations as wire_ops
from orchd.protocol import remote_operations
from orchd.protocol.errors import WireError
from orchd.protocol.frames import MOST, pack_error, request_id_of, unpack_request
from orchd.server.idempotency import Answers, id_in_use
from orchd.server.pagination import packed
from orchd.server.queries import QUERIES, Queries
from orchd.server.requests import is_change, right_of, shaped
from orchd.server.resolver import Naming
from orchd.server.translate import Translator
from orchd.server.waits import Pending, Waits
from orchd.store.database import Store
from orchd.store.reader import StoredAnswer
from orchd.views.registry import Records

log = logging.getLogger("orchd")

MISTAKES = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


class Gateway:
    """Between the ports and the engine."""

    def __init__(
        self,
        *,
        state: State,
        store: Store,
        records: Records,
        callers: Callers,
        naming: Naming,
        translator: Translator,
        queries: Queries,
        reply: Callable[[tuple[bytes, ...], bytes], None],
        clock: Callable[[], Instant],
        reload: Callable[[], dict[str, object]],
        visitors: Visitors,
        prune: Callable[[RequestId, wire_ops.Prune], None],
        limits: Callable[[], Input | None] = lambda: None,
    ) -> None:
        self._reload = reload
        self._limits = limits
        self._visitors = visitors
        self.prune = prune
        self._state = state
        self._store = store
        self._records = records
        self._callers = callers
        self._naming = naming
        self._translate = translator
        self._queries = queries
        self._answers = Answers(store, queries)
        self._reply = reply
        self._pending: dict[RequestId, Pending] = {}
        self.waits = Waits(state, clock, visitors.is_there, self._pending, self.do)
        self.leaving = False
        self._refuses: Callable[[RequestId, Caller, Any], Input | None] | None = None

    def refuse_changes(self, handle: Callable[[RequestId, Caller, Any], Input | None]) -> None:
        """Have `handle` called for each request that would change something: the disk is full."""
        self._refuses = handle
        self._queries.is_disk_full = True

    def fail(self, request: RequestId, error: WireError) -> None:
        """Answer a pending request by an error."""
        self._reply(self._pending.pop(request).route, pack_error(request, error))

    def receive(self, peer: Peer, frame: bytes, flush: Callable[[], None]) -> Input | None:
        """The input that a request is, or None when it was answered here. `flush` decides all inputs before it."""
        request_id = ""
        try:
            request = unpack_request(frame)
            request_id = request.id
            return self._handle(peer, RequestId(request.id), request.op, request.args, flush)
        except WireError as error:
            self._reply(peer.route, pack_error(request_id or request_id_of(frame), error))
        return None

    def _handle(
        self, peer: Peer, request: RequestId, op: str, args: dict[str, object], flush: Callable[[], None]
    ) -> Input | None:
        caller = self._callers.who(peer)
        if caller is Outside.STRANGER:
            log.warning("refused a request of uid %d, pid %d", peer.uid, peer.pid)
        asked = shaped(op, args)
        check_op(caller, right_of(op, asked), changes_limit=is_change(asked))
        if (answer := QUERIES.get(type(asked))) is not None and not is_change(asked):
            flush()
            self._reply(peer.route, self._answered(request, op, lambda: answer(self._queries, caller, asked)))
            return None
        if self._is_repeated(peer, request, op, caller):
            return None
        if isinstance(asked, STARTS):
            with seeing():
                self._callers.check_confinement(peer, caller)
        flush()
        is_paged = isinstance(asked, wire_ops.Wait) and asked.paged
        self._pending[request] = Pending(peer.route, op, caller, is_paged)
        try:
            if self._refuses is not None:
                return self._refuses(request, caller, asked)
            return CHANGES[type(asked)](self, peer, request, caller, asked)
        except WireError:
            self._pending.pop(request, None)
            raise

    def _answered(self, request: RequestId, op: str, ask: Callable[[], dict[str, object]]) -> bytes:
        """The reply to a question. It has changed nothing, so a mistake of ours in it need not end the daemon."""
        try:
            return packed(request, ask())
        except OSError as error:
            raise WireError("busy", f"cannot answer {op} now: {error.strerror}; ask again later") from None
        except MISTAKES as error:
            log.exception("a mistake in answering %s", op)
            raise WireError("internal", f"orchd cannot answer {op} by a mistake of its own: {error!r:.200}") from None

    def _is_repeated(self, peer: Peer, request: RequestId, op: str, caller: Caller) -> bool:
        """Whether this request is in hand or was answered: then the reply goes to whoever asked last."""
        if (pending := self._pending.get(request)) is not None:
            if pending.caller != caller or pending.op != op:
                raise id_in_use(request)
            self._pending[request] = Pending(peer.route, op, caller, pending.is_paged)
            return True
        if (stored := self._answers.stored(request, op, caller)) is None:
            return False
        self._reply(peer.route, packed(request, stored.result))
        return True

    def targets(self, caller: Caller, asked: wire_ops.Wait) -> tuple[AgentId, ...]:
        """The agents that a request waits for. Raises WireError."""
        targets = self._naming.targets(caller, asked)
        if len(targets) > MOST and not asked.paged:
            raise WireError(
                "too-large",
                f"these are {len(targets):,} agents: one answer tells of {MOST:,}. Wait for fewer, or set `paged`.",
            )
        return targets

    def unfinished(self, agents: Iterable[AgentId]) -> Iterable[Agent]:
        """Those of these agents whose end is not recorded."""
        return self._state.unfinished(agents)

    def stop(self, request: RequestId, asked: wire_ops.Stop) -> Input | None:
        """Leave at once, or when nobody lives any more."""
        if asked.agents != "keep":
            return inputs.Drain(request, asked.agents == "stop")
        self.leaving = True
        self.do(Answer(request))
        return None

    def reload(self, request: RequestId) -> Input | None:
        """Read the configuration again. A file that is wrong changes nothing."""
        try:
            self._done(request, self._reload())
            return self._limits()
        except ConfigError as error:
            problems = [problem._asdict() for problem in error.problems]
            raise WireError("bad-config", f"{error}; nothing was changed", {"problems": problems}) from None

    def keys(
        self, request: RequestId, caller: Caller, asked: remote_operations.KeyAuthorize | remote_operations.KeyRevoke
    ) -> None:
        """Change whose keys let them in; whoever has lost theirs is told nothing more."""
        try:
            self._done(request, self._visitors.change(request, caller, asked))
        finally:
            if isinstance(asked, remote_operations.KeyRevoke):
                self.waits.drop_all_of(asked.key)

    def listen(self, peer: Peer, request: RequestId, caller: Caller) -> None:
        """Send hints to this connection from now on."""
        self._visitors.listen(caller, peer.route)
        self._done(request, {"last": self._store.last_seq()})

    def _done(self, request: RequestId, result: object) -> None:
        self._reply(self._pending.pop(request).route, packed(request, result))

    def answer(self, request: RequestId, result: dict[str, object]) -> None:
        """Reply with what took its time."""
        self._answers.have(request, result)
        self.do(Answer(request))

    def promised(self, effects: Iterable[Effect]) -> list[StoredAnswer]:
        """The results that a repeated request must find again, worked out before they are committed."""
        asked = ((one, self._pending.get(one.request)) for one in effects if isinstance(one, Answer))
        found = (self._answers.promised(one, pending.op, pending.caller) for one, pending in asked if pending)
        return [answer for answer in found if answer is not None]

    def do(self, effect: Answer | Refuse) -> None:
        """Reply. Whoever asked may be gone; then nobody is told."""
        if (pending := self._pending.pop(effect.request, None)) is None:
            self._answers.drop(effect.request)
            return
        self.waits.forget(effect.request, pending.caller)
        if isinstance(effect, Refuse):
            error = WireError(effect.code, effect.message, effect.details)
            self._reply(pending.route, pack_error(effect.request, error))
            return
        result = self._answers.take(effect, pending.op, is_paged=pending.is_paged)
        self._reply(pending.route, packed(effect.request, result))


STARTS = (wire_ops.Spawn, wire_ops.Run, wire_ops.Retry)
CHANGES: dict[type, Callable[[Gateway, Peer, RequestId, Caller, Any], Input | None]] = {
    wire_ops.Spawn: lambda self, _, request, caller, asked: self._translate.spawn(request, caller, asked),
    wire_ops.Run: lambda self, _, request, caller, asked: self._translate.run(request, caller, asked),
    wire_ops.Wait: lambda self, peer, request, caller, asked: self.waits.begin(
        peer, request, caller, self.targets(caller, asked), asked
    ),
    wire_ops.Cancel: lambda self, _, request, caller, asked: self._translate.cancel(request, caller, asked),
    wire_ops.Retry: lambda self, _, request, caller, asked: self._translate.retry(request, caller, asked),
    wire_ops.Pause: lambda self, _, request, caller, asked: self._translate.pause(request, caller, asked),
    wire_ops.Resume: lambda self, _, request, caller, asked: self._translate.resume(request, caller, asked),
    wire_ops.Limit: lambda self, _, request, ___, asked: self._translate.limit(request, asked),
    wire_ops.SessionNew: lambda self, _, request, __, asked: self._translate.session_new(request, asked),
    wire_ops.SessionClose: lambda self, _, request, __, asked: self._translate.session_close(request, asked),
    wire_ops.Budget: lambda self, _, request, __, asked: self._translate.budget(request, asked),
    wire_ops.Reload: lambda self, _, request, __, ___: self.reload(request),
    wire_ops.Prune: lambda self, _, request, __, asked: self.prune(request, asked),
    wire_ops.Stop: lambda self, _, request, __, asked: self.stop(request, asked),
    remote_operations.Listen: lambda self, peer, request, caller, _: self.listen(peer, request, caller),
    remote_operations.Keys: lambda self, _, request, __, ___: self._done(request, self._visitors.keys()),
    remote_operations.KeyAuthorize: lambda self, _, request, caller, asked: self.keys(request, caller, asked),
    remote_operations.KeyRevoke: lambda self, _, request, caller, asked: self.keys(request, caller, asked),
}
