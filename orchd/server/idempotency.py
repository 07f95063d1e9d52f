"""Stored replies: a repeated request is performed once, and gets the reply that was committed with its change."""

from __future__ import annotations

from orchd.core.effects import Answer
from orchd.core.state.agents import RequestId, number_of
from orchd.network.callers import Caller, agent_of
from orchd.protocol.errors import WireError
from orchd.server.calls import Call
from orchd.server.context import Context
from orchd.store.reader import StoredReply


class ReplyCache:
    """Results of changes, from their computation until their replies are sent."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._results: dict[RequestId, object] = {}

    def stored(self, call: Call) -> StoredReply | None:
        """Return the reply to this request where it was sent before. Raises WireError for the id of another request."""
        reply = self._context.store.answer(call.id) if call.operation.is_stored else None
        if reply is not None and (reply.op, reply.caller) != (call.op, _number(call.caller)):
            raise id_in_use(call.id)
        return reply

    def to_store(self, call: Call, answer: Answer) -> StoredReply | None:
        """Return the reply that a repeated request must get again; None where it may be computed anew."""
        if not call.operation.is_stored or call.operation.reply is None:
            return None
        result = self._results[call.id] = call.operation.reply(self._context, call, answer)
        return StoredReply(call.id, call.op, _number(call.caller), result)

    def drop(self, request: RequestId) -> None:
        """Forget the result of a request whose client is gone."""
        self._results.pop(request, None)

    def pop(self, call: Call, answer: Answer) -> object:
        """Return the result for the reply, computed now where it is not known."""
        result = self._results.pop(call.id, None)
        if result is None and call.operation.reply is not None:
            result = call.operation.reply(self._context, call, answer)
        return result


def id_in_use(request: RequestId) -> WireError:
    """Return the refusal of a request whose id is in use."""
    return WireError("bad-request", f"the request id {request!r} belongs to another request; use a new id")


def _number(caller: Caller) -> int | None:
    agent = agent_of(caller)
    return number_of(agent) if agent else None
