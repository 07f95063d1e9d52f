"""Metrics in Prometheus' text format."""

from __future__ import annotations

import re

from orchctl.client import Client
from orchctl.exporters.metrics import Counters, text
from tests.conftest import Instance
from tests.orchctl.history.test_lifecycles import QUEUED, event

SAMPLE = re.compile(r'(orchd_\w+)(\{\w+="(?:[^"\\]|\\.)*"(?:,\w+="(?:[^"\\]|\\.)*")*\})? (-?[0-9.e+-]+)')


def parsed(page: str) -> dict[str, float]:
    """Return every sample; AssertionError where a line is none, or its metric was not declared before."""
    values: dict[str, float] = {}
    declared: set[str] = set()
    for line in page.removesuffix("\n").split("\n"):
        if line.startswith("# "):
            declared.add(line.split()[2])
            continue
        match = SAMPLE.fullmatch(line)
        assert match, line
        assert {match[1], re.sub("_(sum|count)$", "", match[1])} & declared, line
        assert match[1] + (match[2] or "") not in values, line
        values[match[1] + (match[2] or "")] = float(match[3])
    return values


def test_metrics_count_the_agents_of_a_real_daemon(instance: Instance) -> None:
    instance.ctl("limit", "1")
    instance.ctl("wait", instance.spawn("true"))
    instance.ctl("wait", instance.spawn("false", options=["--retries", "1"]), code=1)
    instance.spawn("sleep", "60")
    instance.spawn("sleep", "60")
    counters = Counters()
    with Client(instance.home, starts=False) as client:
        metrics = parsed(text(client, counters))
        assert metrics == {**parsed(text(client, counters)), "orchd_uptime_seconds": metrics["orchd_uptime_seconds"]}
        instance.ctl("cancel", "4")
        assert parsed(text(client, counters))['orchd_agents_ended_total{status="cancelled"}'] == 1
        instance.kill()
        ended_metrics = parsed(text(client, counters))
    assert (metrics["orchd_up"], metrics["orchd_limit"], metrics["orchd_working"], metrics["orchd_living"]) == (
        1,
        1,
        1,
        1,
    )
    assert (metrics['orchd_agents{status="running"}'], metrics['orchd_agents{status="queued"}']) == (1, 1)
    assert metrics['orchd_agents_queued_total{level="pm"}'] == 4
    assert (
        metrics['orchd_agents_ended_total{status="completed"}']
        == metrics['orchd_agents_ended_total{status="failed"}']
        == 1
    )
    assert metrics['orchd_attempts_again_total{how="retried"}'] == 1
    assert metrics["orchd_attempts_total"] == metrics["orchd_queue_seconds_count"] == 4
    assert metrics["orchd_attempt_seconds_count"] == 3
    assert ended_metrics["orchd_up"] == 0
    assert "orchd_working" not in ended_metrics
    assert ended_metrics["orchd_attempts_total"] == 4


def test_counters_sum_seconds_and_tokens_of_events() -> None:
    counters = Counters()
    for change in (
        QUEUED,
        event(8, "attempt-admitted", attempt=1),
        event(9, "process-ended", attempt=1, exit_code=1, tokens=500, cost_usd=0.25),
        event(10, "attempt-retried", attempt=1, reason="exit code 1", delay=1.0),
        event(15, "attempt-admitted", attempt=2),
        event(16, "agent-completed"),
        event(17, "agent-revived"),
        event(19, "agent-cancelled", reason="cancelled"),
    ):
        counters.take(change)
    assert (counters.queue_seconds, counters.attempt_seconds) == (3.0 + 5.0, 2.0 + 1.0)
    assert (counters.attempts, counters.attempts_ended) == (2, 2)
    assert (counters.tokens, counters.dollars) == (500, 0.25)
    assert (counters.ended["completed"], counters.ended["cancelled"], counters.again["retried"]) == (1, 1, 1)
