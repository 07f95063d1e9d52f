"""The life cycle of each agent, read from events: when it was queued, its attempts with their waits and ends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from orchctl.render import text
from orchd.protocol import statuses

Event = Mapping[str, Any]


@dataclass(slots=True)
class AttemptHistory:
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
class Lifecycle:
    """The life cycle of one agent."""

    id: str
    name: str
    level: str
    parent: str | None
    queued: float  # when it began to wait for its next attempt, or for its last one
    attempts: list[AttemptHistory] = field(default_factory=list)
    status: str | None = None  # once the agent has finished
    reason: str | None = None
    ended: float | None = None


@dataclass(slots=True)
class Lifecycles:
    """The life cycles of all agents in a range of events, and the changes of the limit in it."""

    agents: dict[str, Lifecycle] = field(default_factory=dict)
    limits: list[tuple[float, int]] = field(default_factory=list)

    def take(self, event: Event) -> None:
        """Apply one more event."""
        at = text.unix(event["at"])
        if event["event"] == "limit-changed":
            self.limits.append((at, event["limit"]))
        elif event["event"] == "agent-queued":
            agent_id = event["agent"]
            self.agents[agent_id] = Lifecycle(agent_id, event["name"], event["level"], event["parent"], at)
        elif (life := self.agents.get(event["agent"])) is not None:
            _lived(life, event, at)


def read(events: Iterable[Event]) -> Lifecycles:
    """Return the life cycles in `events`, which must begin before the agents of interest were queued."""
    lives = Lifecycles()
    for event in events:
        lives.take(event)
    return lives


def _lived(life: Lifecycle, event: Event, at: float) -> None:
    """Apply an event to the life cycle of its agent."""
    kind = event["event"]
    if kind == "attempt-admitted":
        life.attempts.append(AttemptHistory(event["attempt"], life.queued, at))
    elif kind == "agent-revived":
        life.queued, life.status, life.reason, life.ended = at, None, None, None
    elif kind in statuses.ENDS:
        life.status, life.reason, life.ended = statuses.ENDS[kind], event.get("reason"), at
        if life.attempts and life.attempts[-1].ended is None:
            _end(life.attempts[-1], statuses.ENDS[kind], life.reason, at)
    elif life.attempts:
        _tried(life, life.attempts[-1], event, at)


def _tried(life: Lifecycle, attempt: AttemptHistory, event: Event, at: float) -> None:
    """Apply an event to the newest attempt of its agent."""
    kind = event["event"]
    if kind in statuses.AGAIN:
        _end(attempt, statuses.AGAIN[kind], event["reason"], at)
        life.queued = at
    elif kind == "process-ended":
        attempt.exit_code = event["exit_code"]
    elif kind in ("wait-began", "agent-frozen"):
        if not attempt.waits or attempt.waits[-1][1] is not None:
            attempt.waits.append((at, None))
            if kind == "agent-frozen":
                attempt.frozen.append(at)
    elif kind in ("agent-returned", "agent-thawed", "work-seen", "stop-began"):
        _return(attempt, at)


def _end(attempt: AttemptHistory, how: str, reason: str | None, at: float) -> None:
    _return(attempt, at)
    attempt.ended, attempt.how, attempt.reason = at, how, reason


def _return(attempt: AttemptHistory, at: float) -> None:
    if attempt.waits and attempt.waits[-1][1] is None:
        attempt.waits[-1] = (attempt.waits[-1][0], at)
