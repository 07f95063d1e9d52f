"""Replies that a repeated request gets again."""

from __future__ import annotations

import os

import pytest

from orchd.core.effects import Answer
from orchd.core.state.agents import RequestId
from orchd.network.callers import Caller
from orchd.network.peers import Outside, Peer
from orchd.protocol.errors import WireError
from orchd.server.calls import Call
from orchd.server.idempotency import ReplyCache
from orchd.server.operations.table import OPERATIONS
from tests.support.bench import SOMEBODY, Bench

PAUSED = Answer(RequestId("one"))


def call(op: str, caller: Caller = Outside.OWNER, request: str = "one") -> Call:
    """A call of an operation."""
    return Call(RequestId(request), op, None, OPERATIONS[op], caller, Peer((b"c",), os.getuid(), SOMEBODY))


def test_a_stored_reply_is_returned_to_the_same_caller(bench: Bench) -> None:
    bench.ask("pause", request="one")
    cache = ReplyCache(bench.context)
    reply = cache.stored(call("pause"))
    assert reply is not None
    assert reply.result == bench.reply("one")
    assert cache.stored(call("pause", request="two")) is None


def test_a_stored_reply_is_refused_to_another_caller_or_operation(bench: Bench) -> None:
    agent = bench.spawn("sleep", "600")
    bench.ask("pause", request="one")
    cache = ReplyCache(bench.context)
    for repeated in (call("pause", agent.id), call("resume")):
        with pytest.raises(WireError, match="'one' belongs to another request"):
            cache.stored(repeated)


def test_the_stored_reply_is_sent_although_the_state_has_changed(bench: Bench) -> None:
    cache = ReplyCache(bench.context)
    stored = cache.to_store(call("pause"), PAUSED)
    assert stored is not None
    bench.ask("limit", {"limit": 3})
    assert cache.pop(call("pause"), PAUSED) == stored.result
    assert cache.pop(call("pause"), PAUSED) != stored.result


def test_a_reply_that_may_be_computed_anew_is_not_stored(bench: Bench) -> None:
    cache = ReplyCache(bench.context)
    assert cache.to_store(call("wait"), PAUSED) is None
    assert cache.stored(call("wait")) is None


def test_the_result_for_a_disconnected_client_is_dropped(bench: Bench) -> None:
    cache = ReplyCache(bench.context)
    stored = cache.to_store(call("pause"), PAUSED)
    assert stored is not None
    bench.ask("limit", {"limit": 3})
    cache.drop(RequestId("one"))
    assert cache.pop(call("pause"), PAUSED) != stored.result
