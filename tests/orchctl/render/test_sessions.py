"""Sessions and costs as text."""

from __future__ import annotations

import pytest

from orchctl.render import sessions

SESSION = {
    "id": "session-001",
    "name": "evil\x1b[2J",
    "directory": "/w",
    "opened_at": "x",
    "closed_at": None,
    "agents": 2,
    "unfinished": 1,
    "tokens": 12_345,
    "cost_usd": 0.5,
    "reached": None,
}


def test_a_session_is_one_line_despite_control_characters_in_its_name() -> None:
    (line,) = sessions.session_lines([SESSION])
    assert line.split("  ") == [
        "session-001",
        "evil?[2J",
        "open",
        "2 agents, 1 unfinished",
        "12,345 tokens $0.50",
        "/w",
    ]


@pytest.mark.parametrize(
    ("tokens", "dollars", "text"), [(0, 0.0, ""), (1, 0.0, "1 tokens"), (0, 1.5, "$1.50"), (None, None, "")]
)
def test_zero_and_unknown_costs_are_not_shown(tokens: int | None, dollars: float | None, text: str) -> None:
    assert sessions.cost({"tokens": tokens, "cost_usd": dollars}) == text


def test_usage_is_a_table_in_which_estimates_are_marked() -> None:
    row = {
        "id": "agent-001",
        "name": "api",
        "tokens_expected": 10_000,
        "tokens": 12_345,
        "input_tokens": 12_000,
        "output_tokens": 345,
        "cache_read_tokens": 99_999,
        "cost_usd": 0.25,
        "cost_source": "estimated",
    }
    unknown = {**dict.fromkeys(row), "id": "agent-002", "name": None}
    head, first, second_row = sessions.usage_lines([row, unknown])
    assert head.split() == ["expected", "tokens", "input", "output", "cached", "cost"]
    assert first.split() == ["agent-001", "api", "10,000", "12,345", "12,000", "345", "99,999", "~$0.2500"]
    assert second_row.split() == ["agent-002", *"------"]
