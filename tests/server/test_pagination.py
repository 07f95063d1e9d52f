"""Replies that fit into a frame."""

from __future__ import annotations

import pytest

from orchd.protocol.errors import WireError
from orchd.protocol.frames import MAX_FRAME, unpack_reply
from orchd.server.pagination import ROOM, fitting, packed

MEGABYTE = 1_000_000
STAMP = "2026-01-01T00:00:00.000Z"
SMILE = "\U0001f642"  # four bytes of UTF-8


def told(result: object) -> object:
    """The reply as a client reads it."""
    return unpack_reply(packed("r", result)).result


@pytest.mark.parametrize(("sizes", "count"), [([], 0), ([1], 1), ([9], 1), ([1, 1, 2], 3), ([2, 2, 2], 2), ([9, 1], 1)])
def test_a_page_holds_at_least_one_item_and_as_many_as_fit(sizes: list[int], count: int) -> None:
    assert fitting(["x" * size * MEGABYTE for size in sizes]) == count
    assert MEGABYTE * 4 < ROOM < MEGABYTE * 5


def test_a_reply_that_fits_is_sent_unchanged() -> None:
    reply = {"agents": [{"id": "agent-001", "goal": "g" * 4096, "after": ["agent-002"] * 500}], "more": 3}
    assert told(reply) == reply


def test_texts_are_cut_before_keys_are_left_out() -> None:
    agent = {"id": "agent-001", "goal": "g" * 4096, "command": ["sh", "x" * 300], "after": ["agent-002"] * 500}
    first = told({"agents": [agent] * 2000, "timed_out": True})
    assert isinstance(first, dict)
    assert first["timed_out"]
    assert first["agents"][0] == {
        "id": "agent-001",
        "goal": "g" * 255 + "…",
        "command": ["sh", "x" * 255 + "…"],
        "after": ["agent-002"] * 100,
    }


def test_a_reply_fits_as_many_agents_as_a_request_can_name() -> None:
    texts = dict.fromkeys(("name", "goal", "reason", "skill", "task_id"), SMILE * 200)
    words = dict.fromkeys(("runner", "branch"), "w" * 200)
    times = dict.fromkeys(("queued_at", "started_at", "ended_at"), STAMP)
    numbers = dict.fromkeys(("tokens", "rss_bytes", "memory_max", "cost_usd", "cpu_seconds"), 2**40)
    small = {"pid": 2**22, "exit_code": 143, "signal": 15, "attempt": 1000, "depth": 3, "position": 10_000}
    kin = {"id": "agent-1000000", "parent": "agent-1000000", "run": "run-1000000"}
    agent = {**texts, **words, **times, **numbers, **small, **kin, "status": "completed", "level": "sub-skill"}
    result = told({"agents": [agent] * 10_000})
    assert isinstance(result, dict)
    assert result["agents"][9_999] == {
        **{key: value for key, value in agent.items() if key not in ("skill", "task_id")},
        **dict.fromkeys(("name", "goal", "reason"), SMILE * 23 + "…"),
        **dict.fromkeys(("runner", "branch"), "w" * 23 + "…"),
    }


def test_a_reply_without_agents_to_shorten_stays_too_large() -> None:
    for result in ({"data": "x" * MAX_FRAME}, {"agents": ["x" * MAX_FRAME]}, ["x" * MAX_FRAME]):
        with pytest.raises(WireError, match="may have at most"):
            told(result)
