"""Metrics in Prometheus' text format (version 0.0.4): what there is now, and counters drawn from the facts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from orchctl.client import Client, pages
from orchctl.errors import NoDaemonError
from orchctl.history import events
from orchctl.history.lifecycles import Fact
from orchctl.render import text as render

_AGAIN = {"attempt-retried": "retried", "attempt-deferred": "deferred", "attempt-voided": "voided"}
_OVER = {f"agent-{status}": status for status in sorted(render.OVER)}
_GOING = ("queued", "starting", "running", "waiting", "paused", "stopping")
Samples = Iterable[tuple[Mapping[str, str], float]]


class Counters:
    """What only ever grows. It reads each fact once, so whoever keeps it pays for what is new."""

    def __init__(self) -> None:
        self._since = 0
        self._waiting: dict[str, float] = {}  # since when it is queued
        self._held: dict[str, float] = {}  # since when its attempt holds a place
        self.queued: Counter[str] = Counter()
        self.ended: Counter[str] = Counter(dict.fromkeys(_OVER.values(), 0))
        self.again: Counter[str] = Counter(dict.fromkeys(_AGAIN.values(), 0))
        self.attempts = 0
        self.tokens = 0
        self.dollars = 0.0
        self.queue_seconds = 0.0
        self.attempt_seconds = 0.0
        self.attempts_ended = 0

    def catch_up(self, client: Client) -> None:
        """Count what is new."""
        for fact in events.facts(client, self._since):
            self.take(fact)

    def take(self, fact: Fact) -> None:
        """Count one fact."""
        self._since = fact["seq"]
        event, at = fact["event"], render.unix(fact["at"])
        if event == "agent-queued":
            self.queued[fact["level"]] += 1
        if event in ("agent-queued", "agent-revived"):
            self._waiting[fact["agent"]] = at
        elif event == "attempt-admitted":
            self.attempts += 1
            self.queue_seconds += max(0.0, at - self._waiting.pop(fact["agent"], at))
            self._held[fact["agent"]] = at
        elif event == "process-ended":
            if not render.is_simulated(fact):
                self.tokens += fact.get("tokens", 0)
                self.dollars += fact.get("cost_usd", 0.0)
        elif event in _AGAIN or event in _OVER:
            self._end(fact["agent"], event, at)

    def _end(self, agent: str, event: str, at: float) -> None:
        self._waiting.pop(agent, None)
        if (began := self._held.pop(agent, None)) is not None:
            self.attempts_ended += 1
            self.attempt_seconds += max(0.0, at - began)
        if event in _AGAIN:
            self.again[_AGAIN[event]] += 1
            self._waiting[agent] = at
        else:
            self.ended[_OVER[event]] += 1


def text(client: Client, counters: Counters) -> str:
    """All of them as they are now; `orchd_up 0` and what was counted when no daemon answers."""
    try:
        counters.catch_up(client)
        now = list(_now(client))
        lines = [*_metric("up", "gauge", "Whether the daemon answers.", [({}, 1)]), *now]
    except NoDaemonError:
        lines = list(_metric("up", "gauge", "Whether the daemon answers.", [({}, 0)]))
    return "\n".join([*lines, *_counted(counters)]) + "\n"


def _now(client: Client) -> Iterator[str]:
    daemon, limit = client.call("daemon"), client.call("limit")
    agents = pages.status(client, {"usage": False})["agents"]
    going = Counter(agent["status"] for agent in agents)
    yield from _metric("info", "gauge", "The daemon's version.", [({"version": daemon["version"]}, 1)])
    yield from _metric("uptime_seconds", "gauge", "Since the daemon began.", [({}, daemon["uptime_seconds"])])
    yield from _metric("limit", "gauge", "How many agents may work at once.", [({}, limit["limit"])])
    yield from _metric("working", "gauge", "Agents that work.", [({}, limit["working"])])
    yield from _metric("resident_limit", "gauge", "How many agents may live at once.", [({}, limit["resident"])])
    yield from _metric("living", "gauge", "Agents that live, waiting ones included.", [({}, limit["living"])])
    yield from _metric("overdrawn", "gauge", "Places held beyond the limit.", [({}, limit["overdrawn"])])
    yield from _metric("paused", "gauge", "Whether admissions are paused.", [({}, int(limit["paused"]))])
    held = [({"runner": runner}, 1) for runner in sorted(limit["held"])]
    yield from _metric("rate_limited", "gauge", "Runners whose service wants no more for now.", held)
    by_status = [({"status": status}, going[status]) for status in _GOING]
    yield from _metric("agents", "gauge", "Agents that are not over, by status.", by_status)


def _counted(known: Counters) -> Iterator[str]:
    queued = [({"level": level}, known.queued[level]) for level in ("pm", "composite", "sub-skill")]
    yield from _metric("agents_queued_total", "counter", "Agents ever asked for, by level.", queued)
    ended = [({"status": status}, count) for status, count in known.ended.items()]
    yield from _metric("agents_ended_total", "counter", "Agents that ended, by how.", ended)
    yield from _metric("attempts_total", "counter", "Attempts that got a place.", [({}, known.attempts)])
    again = [({"how": how}, count) for how, count in known.again.items()]
    yield from _metric("attempts_again_total", "counter", "Attempts that another one follows, by why.", again)
    yield from _metric("tokens_total", "counter", "Tokens taken, by the word of runners.", [({}, known.tokens)])
    yield from _metric("cost_dollars_total", "counter", "What that cost.", [({}, known.dollars)])
    yield from _summary("queue_seconds", "From being queued to a place.", known.queue_seconds, known.attempts)
    held = "From a place to its end, waits included."
    yield from _summary("attempt_seconds", held, known.attempt_seconds, known.attempts_ended)


def _metric(name: str, kind: str, what: str, samples: Samples) -> Iterator[str]:
    yield f"# HELP orchd_{name} {what}"
    yield f"# TYPE orchd_{name} {kind}"
    for labels, value in samples:
        shown = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
        yield f"orchd_{name}{f'{{{shown}}}' if shown else ''} {value:.15g}"


def _summary(name: str, what: str, total: float, count: int) -> Iterator[str]:
    yield f"# HELP orchd_{name} {what}"
    yield f"# TYPE orchd_{name} summary"
    yield f"orchd_{name}_sum {total:.15g}"
    yield f"orchd_{name}_count {count}"


def _escaped(label: str) -> str:
    return render.clean(label).replace("\\", "\\\\").replace('"', '\\"')
