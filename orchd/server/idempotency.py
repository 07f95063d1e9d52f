"""Answers are written down with what they tell of: a request that is sent again finds its own, and is done once."""

from __future__ import annotations

from orchd.core.effects import Answer
from orchd.core.state.agents import RequestId, number_of
from orchd.network.callers import Caller, agent_of
from orchd.protocol.errors import WireError
from orchd.server.queries import Queries
from orchd.store.database import Store
from orchd.store.reader import StoredAnswer

# Asked twice, these must be done once.
_REMEMBERED = frozenset(
    {"spawn", "run", "retry", "cancel", "limit", "pause", "resume", "session-new", "session-close", "budget"}
)


class Answers:
    """What is answered to whom: worked out once, before it is committed."""

    def __init__(self, store: Store, queries: Queries) -> None:
        self._store = store
        self._queries = queries
        self._results: dict[RequestId, object] = {}

    def stored(self, request: RequestId, op: str, caller: Caller) -> StoredAnswer | None:
        """What this request was answered when it was sent before. Raises WireError when it was somebody else's."""
        found = self._store.answer(request) if op in _REMEMBERED else None
        if found is not None and (found.op, found.caller) != (op, _number(caller)):
            raise id_in_use(request)
        return found

    def promised(self, effect: Answer, op: str, caller: Caller) -> StoredAnswer | None:
        """The result that a repeated request must find again; None where it may be worked out anew."""
        if op not in _REMEMBERED:
            return None
        result = self._results[effect.request] = self._queries.result(op, effect)
        return StoredAnswer(effect.request, op, _number(caller), result)

    def have(self, request: RequestId, result: dict[str, object]) -> None:
        """This is what the request will be answered."""
        self._results[request] = result

    def drop(self, request: RequestId) -> None:
        """Nobody is there any more to be answered."""
        self._results.pop(request, None)

    def take(self, effect: Answer, op: str, *, is_paged: bool = False) -> object:
        """The result, for the reply."""
        if is_paged:
            return self._queries.first_waited_for(effect)
        return self._results.pop(effect.request, None) or self._queries.result(op, effect)


def id_in_use(request: RequestId) -> WireError:
    """The refusal of a request whose id is in use."""
    return WireError("bad-request", f"the id {request!r} is another request's")


def _number(caller: Caller) -> int | None:
    one = agent_of(caller)
    return number_of(one) if one else None
