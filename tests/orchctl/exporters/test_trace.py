"""The agents that an argument of `orchctl trace` selects."""

from __future__ import annotations

from orchctl.exporters.spans import TraceHistory
from orchctl.exporters.trace import _chosen, _Scope, _with_ancestors


def family() -> TraceHistory:
    """Return a history: agent 1 over 2 over 3, and 4 alone."""
    history = TraceHistory()
    for number, parent in ((1, None), (2, "agent-001"), (3, "agent-002"), (4, None)):
        event = {"agent": f"agent-{number:03d}", "name": "x", "level": "pm", "parent": parent}
        history.take({"seq": number, "event": "agent-queued", "at": "2026-01-02T03:04:05.000Z", **event})
    return history


SESSIONS: dict[str, str | None] = {"agent-001": "s", "agent-002": "s", "agent-003": "s", "agent-004": "t"}


def test_an_agent_scope_selects_the_agent_and_its_descendants() -> None:
    assert _chosen(family(), SESSIONS, _Scope(None, ("agent-001",))) == ["agent-001", "agent-002", "agent-003"]
    assert _chosen(family(), SESSIONS, _Scope(None, ("agent-002", "agent-004"))) == [
        "agent-002",
        "agent-003",
        "agent-004",
    ]


def test_a_session_scope_selects_its_agents_and_no_scope_selects_all() -> None:
    assert _chosen(family(), SESSIONS, _Scope({"id": "t"})) == ["agent-004"]
    assert len(_chosen(family(), SESSIONS, _Scope(None))) == 4


def test_ancestors_of_selected_agents_are_included() -> None:
    assert _with_ancestors(family(), ["agent-003", "agent-004"]) == ["agent-003", "agent-004", "agent-002", "agent-001"]
