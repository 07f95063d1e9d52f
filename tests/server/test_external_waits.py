"""Waits from outside: answered when they are true, dropped when their client is gone."""

from __future__ import annotations

from orchd.core.state.agents import AgentId, RequestId
from orchd.server.external_waits import ExternalWait, ExternalWaits

A, B = AgentId("agent-001"), AgentId("agent-002")


def onlooker(request: str, *targets: AgentId, is_any: bool = False, deadline: float | None = None) -> ExternalWait:
    """A client that waits for agents that have not ended."""
    return ExternalWait(RequestId(request), targets, is_any, deadline, set(targets))


def onlookers() -> ExternalWaits:
    """No client waits yet; an agent that has ended is not retried."""
    return ExternalWaits(lambda _: set())


def told(waits: list[ExternalWait]) -> list[str]:
    """Whose waits these are."""
    return [wait.request for wait in waits]


def test_a_wait_ends_after_all_targets_or_after_any_target() -> None:
    waiting = onlookers()
    waiting.add(onlooker("all", A, B))
    waiting.add(onlooker("any", A, B, is_any=True))
    assert told(waiting.ended([A])) == ["any"]
    assert told(waiting.ended([B])) == ["all"]
    assert told(waiting.ended([A, B])) == []


def test_a_wait_times_out_once() -> None:
    waiting = onlookers()
    waiting.add(onlooker("late", A, deadline=10.0))
    waiting.add(onlooker("patient", A))
    assert waiting.next_deadline() == 10.0
    assert told(waiting.expired(9.9)) == []
    assert told(waiting.expired(10.0)) == ["late"]
    assert waiting.next_deadline() is None
    assert told(waiting.ended([A])) == ["patient"]


def test_a_dropped_wait_is_not_answered() -> None:
    waiting = onlookers()
    waiting.add(onlooker("gone", A, B))
    waiting.drop(RequestId("gone"))
    waiting.drop(RequestId("never there"))
    assert told(waiting.ended([A, B])) == []


def test_a_target_that_ended_earlier_satisfies_a_wait_for_any() -> None:
    early = ExternalWait(RequestId("r"), (A, B), is_any=True, deadline=None, remaining={B})
    assert early.is_satisfied()
    assert not onlooker("r", A, B, is_any=True).is_satisfied()


def test_a_retried_target_is_awaited_again() -> None:
    unfinished = {B}
    waiting = ExternalWaits(lambda ids: unfinished.intersection(ids))
    waiting.add(onlooker("all", A, B, deadline=10.0))
    assert told(waiting.ended([A])) == []
    unfinished.symmetric_difference_update((A, B))  # A is tried again, B ends
    assert told(waiting.ended([B])) == []
    assert waiting.next_deadline() == 10.0
    unfinished.clear()
    assert told(waiting.ended([A])) == ["all"]
    assert waiting.next_deadline() is None


def test_a_wait_for_any_ignores_an_agent_retried_before_the_reply() -> None:
    unfinished = {A, B}
    waiting = ExternalWaits(lambda ids: unfinished.intersection(ids))
    waiting.add(onlooker("any", A, B, is_any=True))
    assert told(waiting.ended([A])) == []
    unfinished.discard(A)
    assert told(waiting.ended([A])) == ["any"]
