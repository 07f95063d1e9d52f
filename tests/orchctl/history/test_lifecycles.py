"""The life of each agent, read from its events."""

from __future__ import annotations

from typing import Any

from orchctl.history.lifecycles import Lifecycles, read

BEGAN = 1767323165.0  # 2026-01-02T03:06:05Z


def event(second: int, event: str, agent: str | None = "agent-001", **fields: Any) -> dict[str, Any]:
    """Return an event in this second of 2026-01-02T03:06."""
    return {"seq": second, "at": f"2026-01-02T03:06:{second:02d}.000Z", "event": event, "agent": agent, **fields}


QUEUED = event(5, "agent-queued", name="api", level="pm", parent=None)


def spans(lives: Lifecycles) -> list[tuple[float, float]]:
    """Return the times in which the first attempt of the first agent worked, in seconds from the begin."""
    first_attempt = lives.agents["agent-001"].attempts[0]
    return [(begin - BEGAN, end - BEGAN) for begin, end in first_attempt.works(BEGAN + 50.0)]


def test_each_attempt_records_its_times_and_how_it_ended() -> None:
    lives = read(
        [
            QUEUED,
            event(7, "attempt-admitted", attempt=1),
            event(8, "process-ended", attempt=1, exit_code=3),
            event(9, "attempt-retried", attempt=1, reason="exit code 3", delay=1.0),
            event(12, "attempt-admitted", attempt=2),
            event(13, "attempt-deferred", attempt=2, reason="limited"),
            event(14, "attempt-admitted", attempt=3),
            event(15, "attempt-voided", attempt=3, reason="no gate", hold=0.0),
            event(16, "attempt-admitted", attempt=3),
            event(19, "agent-completed"),
        ]
    )
    life = lives.agents["agent-001"]
    assert [(attempt.number, attempt.how, attempt.reason) for attempt in life.attempts] == [
        (1, "retried", "exit code 3"),
        (2, "deferred", "limited"),
        (3, "voided", "no gate"),
        (3, "completed", None),
    ]
    assert [attempt.admitted - attempt.queued for attempt in life.attempts] == [2.0, 3.0, 1.0, 1.0]
    assert life.attempts[0].exit_code == 3
    assert (life.status, life.ended) == ("completed", BEGAN + 14)


def test_a_waiting_agent_releases_its_slot_until_it_returns_or_is_stopped() -> None:
    events = [
        QUEUED,
        event(6, "attempt-admitted", attempt=1),
        event(8, "wait-began", targets=["agent-002"]),
        event(9, "wait-began", targets=["agent-003"]),
        event(10, "wait-ended", request="r"),
        event(12, "agent-returned", request="r"),
        event(15, "wait-began", targets=["agent-004"]),
    ]
    assert spans(read(events)) == [(1.0, 3.0), (7.0, 10.0)]
    frozen = read([*events, event(16, "agent-thawed"), event(17, "agent-frozen")]).agents["agent-001"].attempts[0]
    assert [begin - BEGAN for begin, _ in frozen.waits] == [3.0, 10.0, 12.0]
    assert [begin - BEGAN for begin in frozen.frozen] == [12.0]
    stopped = [*events, event(17, "stop-began", attempt=1, cause="cancelled", reason="cancelled")]
    assert spans(read(stopped)) == [(1.0, 3.0), (7.0, 10.0), (12.0, 50.0)]
    cancelled = [*stopped, event(20, "agent-cancelled", reason="cancelled")]
    assert spans(read(cancelled))[-1] == (12.0, 15.0)


def test_a_lifecycle_shows_a_skipped_and_a_revived_agent() -> None:
    skipped = read([QUEUED, event(9, "agent-skipped", reason="never")]).agents["agent-001"]
    assert (skipped.status, skipped.reason, skipped.attempts) == ("skipped", "never", [])
    revived = read([QUEUED, event(9, "agent-skipped", reason="never"), event(11, "agent-revived")]).agents["agent-001"]
    assert (revived.status, revived.ended, revived.queued) == (None, None, BEGAN + 6)


def test_daemon_events_and_events_of_unknown_agents_are_accepted() -> None:
    lives = read([event(5, "limit-changed", None, limit=3, resident=9), event(6, "agent-completed", "agent-009")])
    assert (lives.agents, lives.limits) == ({}, [(BEGAN, 3)])
