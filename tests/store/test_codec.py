"""Agents and events as rows."""

from __future__ import annotations

import typing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchd.core.state import events
from orchd.core.state.agents import Agent, AgentId, Level, Note, Outcome, Report, RequestId, Spec, StopReason, Wait
from orchd.core.state.sessions import SessionId
from orchd.core.state.spending import Budget, Spent
from orchd.store.codec import describe, event_name, pack, pack_agent, pack_spec, unpack, unpack_agent
from tests.support.generated_agents import TEXTS, agents

ONE = AgentId("agent-001")
SPEC = Spec(("true",), "true", "/", "e")
KINDS = typing.get_args(events.Event)


@given(agents())
def test_an_agent_round_trips(agent: Agent) -> None:
    assert unpack_agent(agent.id, pack_spec(agent), pack_agent(agent)) == agent


def test_an_agent_read_from_a_row_without_a_cause_has_no_cause() -> None:
    agent = Agent(ONE, SPEC, Level.PM, (), 0, 0.0, because="agent-007")
    row = unpack(pack_agent(agent))
    assert row.pop("because") == "agent-007"
    assert unpack_agent(ONE, pack_spec(agent), pack(row)).because == ""


def test_a_report_of_a_row_of_schema_2_has_no_notes() -> None:
    note = Note("permissions-denied", "3 permissions denied")
    report = Report("it said so", turns=7, notes=(note,))
    agent = Agent(ONE, SPEC, Level.PM, (), 0, 0.0, outcome=Outcome(0, report=report))
    row = unpack(pack_agent(agent))
    *_, notes = row["outcome"][3]
    assert notes == [list(note)]
    row["outcome"][3].pop()
    outcome = unpack_agent(ONE, pack_spec(agent), pack(row)).outcome
    assert outcome == Outcome(0, report=Report("it said so", turns=7))


@given(st.recursive(st.none() | st.integers(0, 9) | TEXTS, lambda inner: st.lists(inner), max_leaves=9))
def test_any_value_round_trips(value: object) -> None:
    assert unpack(pack(value)) == value


@pytest.mark.parametrize(
    ("event", "name", "expected"),
    [
        (events.AgentQueued(ONE, SPEC, Level.PM, ()), "agent-queued", {"name": "true", "level": "pm", "parent": None}),
        (
            events.AgentQueued(AgentId("agent-002"), SPEC, Level.SUB_SKILL, (ONE,), 1),
            "agent-queued",
            {"name": "true", "level": "sub-skill", "parent": ONE},
        ),
        (
            events.WaitBegan(ONE, Wait(RequestId("r"), (AgentId("agent-002"),), True, None, 1, 1.0)),
            "wait-began",
            {"targets": ["agent-002"], "any": True},
        ),
        (
            events.ProcessEnded(ONE, 2, Outcome(3, 0.5, 9)),
            "process-ended",
            {"attempt": 2, "exit_code": 3},
        ),
        (
            events.ProcessEnded(ONE, 1, Outcome(0, report=Report(spent=Spent(10, 5, 70, 2, 0.5)))),
            "process-ended",
            {"attempt": 1, "exit_code": 0, "tokens": 17, "cost_usd": 0.5},
        ),
        (
            events.ProcessEnded(
                ONE, 1, Outcome(0, report=Report(cost_source="simulated", notes=(Note("left-behind", "1 job"),)))
            ),
            "process-ended",
            {
                "attempt": 1,
                "exit_code": 0,
                "tokens": 0,
                "cost_usd": 0.0,
                "cost_source": "simulated",
                "notes": ["1 job"],
            },
        ),
        (
            events.SessionBudgetChanged(SessionId("session-001"), Budget(9, None)),
            "session-budget-changed",
            {"session": "session-001", "max_tokens": 9, "max_cost": None},
        ),
        (
            events.StopBegan(ONE, 1, StopReason.TIMEOUT, "took longer than 1 s"),
            "stop-began",
            {"attempt": 1, "cause": "timeout", "reason": "took longer than 1 s"},
        ),
        (
            events.AgentSkipped(AgentId("agent-002"), "agent-001 did not complete: failed", ONE),
            "agent-skipped",
            {"reason": "agent-001 did not complete: failed", "because": ONE},
        ),
        (events.AgentCompleted(ONE), "agent-completed", {}),
        (events.LimitChanged(3, 12), "limit-changed", {"limit": 3, "resident": 12, "by_command": True}),
        (events.AdmissionsPaused(), "admissions-paused", {}),
    ],
)
def test_an_event_is_described_flat_and_without_its_agent(
    event: events.Event, name: str, expected: dict[str, object]
) -> None:
    assert (event_name(event), describe(event)) == (name, expected)


def test_secret_and_internal_event_fields_are_not_shown() -> None:
    assert "digest" not in str(describe(events.AgentRevived(ONE, "digest")))
    assert "seed" not in describe(events.AttemptRetried(ONE, 1, "exit code 1", 0.5, 42))


@pytest.mark.parametrize("kind", KINDS)
def test_every_event_has_a_name_of_its_own(kind: type[events.Event]) -> None:
    name = event_name(kind.__new__(kind))
    assert name == name.lower()
    assert " " not in name
    assert len({event_name(other.__new__(other)) for other in KINDS}) == len(KINDS)
