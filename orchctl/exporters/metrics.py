"""Metrics for Prometheus: gauges of the current state, and counters of events. Needs the extra `metrics`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from orchctl.client import Client, pages
from orchctl.errors import NoDaemonError, RefusedError
from orchctl.exporters.extras import how_to_install
from orchctl.history import events
from orchctl.history.lifecycles import Event
from orchctl.render import text as render
from orchd.protocol import statuses

try:
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.exposition import choose_encoder
    from prometheus_client.metrics_core import (
        CounterMetricFamily,
        GaugeMetricFamily,
        InfoMetricFamily,
        Metric,
        SummaryMetricFamily,
    )
    from prometheus_client.registry import Collector
except ImportError as error:
    raise RefusedError(
        f"metrics need prometheus-client, which is not installed ({error}): run {how_to_install('prometheus-client')}",
        code="no-prometheus",
    ) from None


class Counters:
    """The counters, which only grow. Each event is read once; a caller that keeps the object reads only new events."""

    def __init__(self) -> None:
        self._since = 0
        self._waiting: dict[str, float] = {}  # when each queued agent was queued
        self._admitted: dict[str, float] = {}  # when the attempt of each agent got its slot
        self.queued: Counter[str] = Counter()
        self.ended: Counter[str] = Counter(dict.fromkeys(statuses.ENDS.values(), 0))
        self.again: Counter[str] = Counter(dict.fromkeys(statuses.AGAIN.values(), 0))
        self.attempts = 0
        self.tokens = 0
        self.dollars = 0.0
        self.queue_seconds = 0.0
        self.attempt_seconds = 0.0
        self.attempts_ended = 0

    def catch_up(self, client: Client) -> None:
        """Count the new events."""
        for event in events.between(client, self._since):
            self.take(event)

    def take(self, event: Event) -> None:
        """Count one event."""
        self._since = event["seq"]
        kind, at = event["event"], render.unix(event["at"])
        if kind == "agent-queued":
            self.queued[event["level"]] += 1
        if kind in ("agent-queued", "agent-revived"):
            self._waiting[event["agent"]] = at
        elif kind == "attempt-admitted":
            self.attempts += 1
            self.queue_seconds += max(0.0, at - self._waiting.pop(event["agent"], at))
            self._admitted[event["agent"]] = at
        elif kind == "process-ended" and not render.is_simulated(event):
            self.tokens += event.get("tokens", 0)
            self.dollars += event.get("cost_usd", 0.0)
        elif kind in statuses.AGAIN or kind in statuses.ENDS:
            self._waiting.pop(event["agent"], None)
            if (began := self._admitted.pop(event["agent"], None)) is not None:
                self.attempts_ended += 1
                self.attempt_seconds += max(0.0, at - began)
            if kind in statuses.AGAIN:
                self.again[statuses.AGAIN[kind]] += 1
                self._waiting[event["agent"]] = at
            else:
                self.ended[statuses.ENDS[kind]] += 1


def text(client: Client, counters: Counters) -> str:
    """Return all metrics in the text format; `orchd_up 0` and the counters when no daemon is running."""
    return generate_latest(_registry(client, counters)).decode()


def page(client: Client, counters: Counters, accept: str) -> tuple[bytes, str]:
    """Return all metrics in the format that an HTTP header `Accept` prefers, and its content type."""
    encode, content_type = choose_encoder(accept)
    return encode(_registry(client, counters)), content_type


def _registry(client: Client, counters: Counters) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(_Fleet(client, counters))
    return registry


class _Fleet(Collector):
    """The metrics of one daemon, collected anew for each request."""

    def __init__(self, client: Client, counters: Counters) -> None:
        self._client = client
        self._counters = counters

    def collect(self) -> Iterator[Metric]:
        try:
            self._counters.catch_up(self._client)
            families = [_gauge("up", "Whether the daemon is running.", 1), *_now(self._client)]
        except NoDaemonError:
            families = [_gauge("up", "Whether the daemon is running.", 0)]
        yield from families
        known = self._counters
        queued = {level: known.queued[level] for level in ("pm", "composite", "sub-skill")}
        yield _counters("agents_queued", "Agents ever queued, by level.", "level", queued)
        yield _counters("agents_ended", "Agents that ended, by status.", "status", known.ended)
        yield CounterMetricFamily("orchd_attempts", "Attempts that got a slot.", known.attempts)
        yield _counters(
            "attempts_again", "Attempts that were followed by another attempt, by reason.", "how", known.again
        )
        yield CounterMetricFamily("orchd_tokens", "Tokens used, as reported by runners.", known.tokens)
        yield CounterMetricFamily("orchd_cost_dollars", "Cost of the used tokens.", known.dollars)
        yield SummaryMetricFamily(
            "orchd_queue_seconds", "Time from being queued to getting a slot.", known.attempts, known.queue_seconds
        )
        yield SummaryMetricFamily(
            "orchd_attempt_seconds",
            "Time from getting a slot to the end of the attempt, waits included.",
            known.attempts_ended,
            known.attempt_seconds,
        )


def _now(client: Client) -> Iterator[Metric]:
    """Yield the gauges of the current state."""
    daemon, limit = client.call("daemon"), client.call("limit")
    agents = pages.status(client, {"usage": False})["agents"]
    by_status = Counter(agent["status"] for agent in agents)
    yield InfoMetricFamily("orchd", "Version of the daemon.", {"version": daemon["version"]})
    yield _gauge("uptime_seconds", "Time since the daemon started.", daemon["uptime_seconds"])
    yield _gauge("limit", "Number of slots.", limit["limit"])
    yield _gauge("working", "Slots in use.", limit["working"])
    yield _gauge("resident_limit", "Maximum number of agents alive.", limit["resident"])
    yield _gauge("living", "Agents alive, waiting agents included.", limit["living"])
    yield _gauge("overdrawn", "Slots in use over the limit.", limit["overdrawn"])
    yield _gauge("paused", "Whether the start of agents is paused.", limit["paused"])
    limited = GaugeMetricFamily("orchd_rate_limited", "Runners that are rate-limited.", labels=["runner"])
    for runner in sorted(limit["held"]):
        limited.add_metric([render.clean(runner)], 1)
    yield limited
    agents_now = GaugeMetricFamily("orchd_agents", "Unfinished agents, by status.", labels=["status"])
    for status in statuses.UNFINISHED:
        agents_now.add_metric([status], by_status[status])
    yield agents_now


def _gauge(name: str, what: str, value: float) -> Metric:
    return GaugeMetricFamily(f"orchd_{name}", what, value)


def _counters(name: str, what: str, label: str, counts: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(f"orchd_{name}", what, labels=[label])
    for value, count in counts.items():
        family.add_metric([value], count)
    return family
