"""Answers that a request finds again."""

from __future__ import annotations

import pytest

from orchd.core.effects import Answer
from orchd.core.state.agents import RequestId
from orchd.network.peers import Outside
from orchd.protocol.errors import WireError
from orchd.server.idempotency import Answers
from tests.support.bench import Bench

ONE, PAUSED = RequestId("one"), Answer(RequestId("one"))


def test_what_was_answered_is_found_again_by_whoever_asked_it(bench: Bench) -> None:
    bench.ask("pause", request="one")
    answers = Answers(bench.store, bench.queries)
    found = answers.stored(ONE, "pause", Outside.OWNER)
    assert found is not None
    assert found.result == bench.reply("one")
    assert answers.stored(RequestId("two"), "pause", Outside.OWNER) is None


def test_what_somebody_else_was_answered_is_not_found(bench: Bench) -> None:
    agent = bench.spawn("sleep", "600")
    bench.ask("pause", request="one")
    answers = Answers(bench.store, bench.queries)
    for op, caller in (("pause", agent.id), ("resume", Outside.OWNER)):
        with pytest.raises(WireError, match="'one' is another request's"):
            answers.stored(ONE, op, caller)


def test_what_is_promised_is_what_is_said_though_the_state_has_gone_on(bench: Bench) -> None:
    answers = Answers(bench.store, bench.queries)
    promised = answers.promised(PAUSED, "pause", Outside.OWNER)
    assert promised is not None
    bench.ask("limit", {"limit": 3})
    assert answers.take(PAUSED, "pause") == promised.result
    assert answers.take(PAUSED, "pause") != promised.result


def test_what_may_be_worked_out_anew_is_not_kept(bench: Bench) -> None:
    answers = Answers(bench.store, bench.queries)
    assert answers.promised(PAUSED, "wait", Outside.OWNER) is None
    assert answers.stored(ONE, "wait", Outside.OWNER) is None


def test_nothing_is_kept_for_somebody_who_has_gone(bench: Bench) -> None:
    answers = Answers(bench.store, bench.queries)
    answers.have(ONE, {"pruned": 1})
    answers.drop(ONE)
    assert answers.take(PAUSED, "pause") != {"pruned": 1}
