"""Spans are derived from events: the same events give the same spans."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from orchctl.exporters.spans import Span, Spans, TraceHistory
from tests.orchctl.agents import agent

HOME = "orchd://box/home"
RUN = {
    "id": "run-001",
    "name": "team",
    "parent": None,
    "session": "session-001",
    "task_id": None,
    "status": "failed",
    "reason": "api failed",
    "tokens": 7,
    "cost_usd": None,
    "began_at": "2026-01-02T03:04:00.000Z",
    "ended_at": "2026-01-02T03:05:00.000Z",
}


def events(text: str) -> Iterable[dict[str, Any]]:
    """Parse `SECOND EVENT AGENT [KEY=VALUE]...` lines."""
    for number, line in enumerate(filter(None, map(str.strip, text.splitlines()))):
        second, event, agent, *more = line.split()
        values: dict[str, Any] = {"agent": f"agent-{int(agent):03d}", "at": f"2026-01-02T03:04:{int(second):02d}.000Z"}
        if event == "agent-queued":
            values |= {"name": f"n{agent}", "level": "pm", "parent": None}
        pairs = (word.split("=") for word in more)
        values |= {key: int(value) if value.isdigit() else value for key, value in pairs}
        yield {"seq": number + 1, "event": event, **values}


Known = dict[str, Any] | None


def spans(text: str, agents: Known = None, runs: Known = None, home: str = HOME) -> list[Span]:
    """Return all spans of these events."""
    history = TraceHistory()
    for event in events(text):
        history.take(event)
    builder = Spans(home, history, agents or {}, runs or {})
    return [*builder.of_runs(runs or {}), *builder.of_agents(history.stints)]


ONE = """
1 agent-queued 1
2 attempt-admitted 1 attempt=1
3 process-ended 1 attempt=1 exit_code=0 tokens=9
4 agent-completed 1
"""


def test_span_ids_are_deterministic_and_differ_between_homes() -> None:
    agent, attempt = spans(ONE)
    assert spans(ONE) == [agent, attempt]
    assert re.fullmatch("[0-9a-f]{32}", agent.trace)
    assert all(re.fullmatch("[0-9a-f]{16}", span_id) for span_id in (agent.id, attempt.id))
    assert len({agent.id, attempt.id, agent.trace[:16], agent.trace[16:]}) >= 3
    assert attempt.parent == agent.id
    other_spans = spans(ONE, home="orchd://box/other")
    assert {span.id for span in other_spans}.isdisjoint({agent.id, attempt.id})
    assert other_spans[0].trace != agent.trace
    later = spans(ONE.replace("1 agent-queued", "0 agent-queued"))  # an agent of the same number in a home begun anew
    assert later[0].trace != agent.trace


def test_an_unfinished_agent_has_spans_only_of_its_finished_attempts() -> None:
    spans_found = spans("1 agent-queued 1\n2 attempt-admitted 1 attempt=1\n3 attempt-retried 1 attempt=1 reason=x")
    assert [(span.name, span.begin % 60, span.end % 60, span.error) for span in spans_found] == [
        ("attempt 1", 2, 3, "x")
    ]
    assert spans_found[0].attributes["error.type"] == "retried"
    assert spans_found[0].attributes["orchd.queue_seconds"] == 1.0


def test_a_revived_agent_gets_a_new_span_and_keeps_the_first() -> None:
    before = spans(ONE.replace("agent-completed", "agent-failed"))
    text = ONE.replace("agent-completed", "agent-failed") + (
        "5 agent-revived 1\n6 attempt-admitted 1 attempt=2\n"
        "7 process-ended 1 attempt=2 exit_code=0\n8 agent-completed 1"
    )
    after = spans(text)
    assert after[:2] == before
    revived, attempt = after[2:]
    assert (revived.begin % 60, revived.end % 60, revived.error) == (5, 8, None)
    assert (revived.trace, attempt.parent) == (before[0].trace, revived.id)
    assert revived.id != before[0].id


def test_a_child_span_has_the_spawning_attempt_as_parent() -> None:
    spans_found = spans("""
        1 agent-queued 1
        2 attempt-admitted 1 attempt=1
        3 attempt-retried 1 attempt=1 reason=x
        4 attempt-admitted 1 attempt=2
        5 agent-queued 2 parent=agent-001
        6 agent-skipped 2
        7 agent-completed 1
    """)
    names = {span.id: span.name for span in spans_found}
    (child,) = [span for span in spans_found if span.name == "n2"]
    assert names[str(child.parent)] == "attempt 2"
    assert child.error is None
    assert len({span.trace for span in spans_found}) == 1


def test_waits_are_events_of_an_attempt_span() -> None:
    spans_found = spans("""
        1 agent-queued 1
        2 attempt-admitted 1 attempt=1
        3 wait-began 1
        4 agent-returned 1
        5 agent-completed 1
    """)
    assert [(name, at % 60) for name, at in spans_found[1].events] == [("wait began", 3), ("wait ended", 4)]


def test_member_spans_are_below_the_run_and_a_run_below_its_caller() -> None:
    agents = {"agent-001": agent(1, run="run-001", runner="claude", model="m", goal="secret", command=[])}
    run, agent_span, attempt = spans(ONE, agents, {"run-001": RUN})
    assert (run.parent, agent_span.parent, attempt.parent) == (None, run.id, agent_span.id)
    assert run.trace == agent_span.trace == attempt.trace
    assert (run.name, run.error, run.attributes["error.type"]) == ("invoke_workflow team", "api failed", "failed")
    assert (agent_span.name, agent_span.attributes["gen_ai.provider.name"]) == ("invoke_agent n1", "anthropic")
    assert agent_span.attributes["gen_ai.request.model"] == "m"
    assert "secret" not in str((run, agent_span, attempt))
    text = f"{ONE}\n1 agent-queued 2\n1 attempt-admitted 2 attempt=1"
    nested_run = {**RUN, "parent": "agent-002", "began_at": "2026-01-02T03:04:02.000Z"}
    run, *_ = spans(text, agents, {"run-001": nested_run})
    assert run.parent is not None
    assert spans(text, agents, {"run-001": {**nested_run, "ended_at": None}})[0].name == "invoke_agent n1"


def test_a_clock_set_back_makes_no_span_with_a_negative_duration() -> None:
    spans_found = spans("9 agent-queued 1\n8 attempt-admitted 1 attempt=1\n7 agent-completed 1")
    assert all(span.end >= span.begin for span in spans_found)
