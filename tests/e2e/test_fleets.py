"""Many agents that start, or are ended, at once, in slices between which the daemon is killed."""

from __future__ import annotations

from contextlib import closing

from tests.conftest import until
from tests.e2e.fleet import Fleet
from tests.witness import Witness

LIMIT, MANY = 40, 60


def test_crashes_in_a_large_batch_repeat_no_start_and_keep_the_limit(
    resting: Fleet,
) -> None:
    resting.instance.configure(f"limit = {LIMIT}\nresident = {LIMIT}\n")
    resting.instance.start()
    gate = resting.gate()
    with closing(Witness(resting.instance.directory, limit=LIMIT, resident=LIMIT)) as witness:
        ids = resting.batch([resting.spec(gate.script) for _ in range(MANY)])
        for count in (1, LIMIT // 2, LIMIT):
            until(lambda count=count: len(resting.book.entries()) >= count, what="starts")
            resting.daemon_dies()
            limit = resting.client.call("limit")  # which starts the next daemon
        assert (limit["working"], limit["living"]) == (LIMIT, LIMIT)
        assert sorted(resting.book.agents()) == sorted(ids[:LIMIT])
        gate.let(MANY)
        ended = resting.ends(*ids)
        assert witness.violations == []
    assert {agent["status"] for agent in ended} == {"completed"}
    assert sorted(resting.book.agents()) == sorted(ids)
    assert resting.admitted() == ids


def test_a_cancelled_large_batch_ends_although_the_daemon_crashes(resting: Fleet) -> None:
    resting.instance.configure(f"limit = {LIMIT}\nresident = {LIMIT}\n")
    resting.instance.start()
    gate = resting.gate()
    ids = resting.batch([resting.spec(gate.script) for _ in range(LIMIT)])
    resting.started(*ids)
    resting.client.call("cancel", {"ids": ids})
    resting.daemon_dies()
    assert {agent["status"] for agent in resting.ends(*ids)} == {"cancelled"}
    assert resting.client.call("limit")["living"] == 0
