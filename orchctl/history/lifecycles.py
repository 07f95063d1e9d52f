"""What the facts tell of each agent: when it was queued, its attempts with their waits, and how each of them ended."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from orchctl.render import text
from orchd.protocol import statuses

Fact = Mapping[str, Any]


@dataclass(slots=True)
class Attempt:
    """One try. Times are Unix times; its place was held from `admitted` to `ended`, but for its waits."""

    number: int
    queued: float
    admitted: float
    ended: float | None = None
    how: str | None = None  # a status, or retried, deferred, voided
    reason: str | None = None
    exit_code: int | None = None
    waits: list[tuple[float, float | None]] = field(default_factory=list)
    frozen: list[float] = field(default_factory=list)  # the begins of the waits in which it was frozen

    def works(self, now: float) -> list[tuple[float, float]]:
        """When it held a working place, up to `now`."""
        end = self.ended if self.ended is not None else now
        edges = [self.admitted]
        for begin, back in self.waits:
            edges += [begin, back if back is not None else end]
        edges.append(end)
        return [(edges[i], edges[i + 1]) for i in range(0, len(edges), 2) if edges[i + 1] > edges[i]]


@dataclass(slots=True)
class Life:
    """One agent."""

    id: str
    name: str
    level: str
    parent: str | None
    queued: float  # since when it waits for its next attempt, or waited for its last one
    attempts: list[Attempt] = field(default_factory=list)
    status: str | None = None  # once it is over
    reason: str | None = None
    ended: float | None = None


@dataclass(slots=True)
class Lives:
    """All agents that the facts tell of, and what became of the limit meanwhile."""

    agents: dict[str, Life] = field(default_factory=dict)
    limits: list[tuple[float, int]] = field(default_factory=list)

    def take(self, fact: Fact) -> None:
        """One more fact."""
        at = text.unix(fact["at"])
        if fact["event"] == "limit-changed":
            self.limits.append((at, fact["limit"]))
        elif fact["event"] == "agent-queued":
            one = fact["agent"]
            self.agents[one] = Life(one, fact["name"], fact["level"], fact["parent"], at)
        elif (life := self.agents.get(fact["agent"])) is not None:
            _lived(life, fact, at)


def read(facts: Iterable[Fact]) -> Lives:
    """The lives that facts tell of, which begin before the agents of interest were queued."""
    lives = Lives()
    for fact in facts:
        lives.take(fact)
    return lives


def _lived(life: Life, fact: Fact, at: float) -> None:
    event = fact["event"]
    if event == "attempt-admitted":
        life.attempts.append(Attempt(fact["attempt"], life.queued, at))
    elif event == "agent-revived":
        life.queued, life.status, life.reason, life.ended = at, None, None, None
    elif event in statuses.ENDS:
        life.status, life.reason, life.ended = statuses.ENDS[event], fact.get("reason"), at
        if life.attempts and life.attempts[-1].ended is None:
            _end(life.attempts[-1], statuses.ENDS[event], life.reason, at)
    elif life.attempts:
        _tried(life, life.attempts[-1], fact, at)


def _tried(life: Life, attempt: Attempt, fact: Fact, at: float) -> None:
    event = fact["event"]
    if event in statuses.AGAIN:
        _end(attempt, statuses.AGAIN[event], fact["reason"], at)
        life.queued = at
    elif event == "process-ended":
        attempt.exit_code = fact["exit_code"]
    elif event in ("wait-began", "agent-frozen"):
        if not attempt.waits or attempt.waits[-1][1] is not None:
            attempt.waits.append((at, None))
            if event == "agent-frozen":
                attempt.frozen.append(at)
    elif event in ("agent-returned", "agent-thawed", "work-seen", "stop-began"):
        _return(attempt, at)


def _end(attempt: Attempt, how: str, reason: str | None, at: float) -> None:
    _return(attempt, at)
    attempt.ended, attempt.how, attempt.reason = at, how, reason


def _return(attempt: Attempt, at: float) -> None:
    if attempt.waits and attempt.waits[-1][1] is None:
        attempt.waits[-1] = (attempt.waits[-1][0], at)
