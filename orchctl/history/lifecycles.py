"""The life cycle of each agent, read from events: when it was queued, its attempts with their waits and ends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from orchctl.render import text
from orchd.protocol import statuses

Fact = Mapping[str, Any]


@dataclass(slots=True)
class Attempt:
    """One attempt of an agent. Times are Unix times; its slot was held from `admitted` to `ended`, except in waits."""

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
        """Return the spans in which the attempt held a slot, up to `now`."""
        end = self.ended if self.ended is not None else now
        edges = [self.admitted]
        for begin, back in self.waits:
            edges += [begin, back if back is not None else end]
        edges.append(end)
        return [(edges[i], edges[i + 1]) for i in range(0, len(edges), 2) if edges[i + 1] > edges[i]]


@dataclass(slots=True)
class Life:
    """The life cycle of one agent."""

    id: str
    name: str
    level: str
    parent: str | None
    queued: float  # when it began to wait for its next attempt, or for its last one
    attempts: list[Attempt] = field(default_factory=list)
    status: str | None = None  # once the agent has finished
    reason: str | None = None
    ended: float | None = None


@dataclass(slots=True)
class Lives:
    """The life cycles of all agents in a stretch of events, and the changes of the limit in it."""

    agents: dict[str, Life] = field(default_factory=dict)
    limits: list[tuple[float, int]] = field(default_factory=list)

    def take(self, fact: Fact) -> None:
        """Apply one more event."""
        at = text.unix(fact["at"])
        if fact["event"] == "limit-changed":
            self.limits.append((at, fact["limit"]))
        elif fact["event"] == "agent-queued":
            agent_id = fact["agent"]
            self.agents[agent_id] = Life(agent_id, fact["name"], fact["level"], fact["parent"], at)
        elif (life := self.agents.get(fact["agent"])) is not None:
            _lived(life, fact, at)


def read(facts: Iterable[Fact]) -> Lives:
    """Return the life cycles in `facts`, which must begin before the agents of interest were queued."""
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
