"""What the facts tell of each agent."""

from __future__ import annotations

from typing import Any

from orchctl.history.lifecycles import Lives, read

BEGAN = 1767323165.0  # 2026-01-02T03:06:05Z


def fact(second: int, event: str, agent: str | None = "agent-001", **known: Any) -> dict[str, Any]:
    """Something that happened in this second of 2026-01-02T03:06."""
    return {"seq": second, "at": f"2026-01-02T03:06:{second:02d}.000Z", "event": event, "agent": agent, **known}


QUEUED = fact(5, "agent-queued", name="api", level="pm", parent=None)


def spans(lives: Lives) -> list[tuple[float, float]]:
    """When the first attempt of the first agent worked, in seconds from the beginning."""
    first = lives.agents["agent-001"].attempts[0]
    return [(begin - BEGAN, end - BEGAN) for begin, end in first.works(BEGAN + 50.0)]


def test_attempts_follow_each_other_and_each_says_how_it_ended() -> None:
    lives = read(
        [
            QUEUED,
            fact(7, "attempt-admitted", attempt=1),
            fact(8, "process-ended", attempt=1, exit_code=3),
            fact(9, "attempt-retried", attempt=1, reason="exit code 3", delay=1.0),
            fact(12, "attempt-admitted", attempt=2),
            fact(13, "attempt-deferred", attempt=2, reason="limited"),
            fact(14, "attempt-admitted", attempt=3),
            fact(15, "attempt-voided", attempt=3, reason="no gate", hold=0.0),
            fact(16, "attempt-admitted", attempt=3),
            fact(19, "agent-completed"),
        ]
    )
    life = lives.agents["agent-001"]
    assert [(one.number, one.how, one.reason) for one in life.attempts] == [
        (1, "retried", "exit code 3"),
        (2, "deferred", "limited"),
        (3, "voided", "no gate"),
        (3, "completed", None),
    ]
    assert [one.admitted - one.queued for one in life.attempts] == [2.0, 3.0, 1.0, 1.0]
    assert life.attempts[0].exit_code == 3
    assert (life.status, life.ended) == ("completed", BEGAN + 14)


def test_who_waits_gives_its_place_back_until_it_returns_or_is_ended() -> None:
    facts = [
        QUEUED,
        fact(6, "attempt-admitted", attempt=1),
        fact(8, "wait-began", targets=["agent-002"]),
        fact(9, "wait-began", targets=["agent-003"]),
        fact(10, "wait-ended", request="r"),
        fact(12, "agent-returned", request="r"),
        fact(15, "wait-began", targets=["agent-004"]),
    ]
    assert spans(read(facts)) == [(1.0, 3.0), (7.0, 10.0)]
    frozen = read([*facts, fact(16, "agent-thawed"), fact(17, "agent-frozen")]).agents["agent-001"].attempts[0]
    assert [begin - BEGAN for begin, _ in frozen.waits] == [3.0, 10.0, 12.0]
    assert [begin - BEGAN for begin in frozen.frozen] == [12.0]
    stopped = [*facts, fact(17, "stop-began", attempt=1, cause="cancelled", reason="cancelled")]
    assert spans(read(stopped)) == [(1.0, 3.0), (7.0, 10.0), (12.0, 50.0)]
    over = [*stopped, fact(20, "agent-cancelled", reason="cancelled")]
    assert spans(read(over))[-1] == (12.0, 15.0)


def test_one_that_never_started_or_is_tried_again_by_a_person_says_so() -> None:
    skipped = read([QUEUED, fact(9, "agent-skipped", reason="never")]).agents["agent-001"]
    assert (skipped.status, skipped.reason, skipped.attempts) == ("skipped", "never", [])
    revived = read([QUEUED, fact(9, "agent-skipped", reason="never"), fact(11, "agent-revived")]).agents["agent-001"]
    assert (revived.status, revived.ended, revived.queued) == (None, None, BEGAN + 6)


def test_facts_of_the_box_and_of_agents_whose_beginning_is_not_known_do_no_harm() -> None:
    lives = read([fact(5, "limit-changed", None, limit=3, resident=9), fact(6, "agent-completed", "agent-009")])
    assert (lives.agents, lives.limits) == ({}, [(BEGAN, 3)])
