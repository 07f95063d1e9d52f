"""Waits of callers outside every agent; they hold no slot, so the core does not know them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from orchd.core.state.agents import AgentId, RequestId


@dataclass(slots=True)
class ExternalWait:
    """A wait of an outside caller for the end of agents."""

    request: RequestId
    targets: tuple[AgentId, ...]
    is_any: bool
    deadline: float | None
    remaining: set[AgentId] = field(default_factory=set)

    def is_satisfied(self) -> bool:
        """Return whether enough of its targets have ended."""
        return len(self.remaining) < len(self.targets) if self.is_any else not self.remaining


class ExternalWaits:
    """Pending waits, by their targets."""

    def __init__(self, unfinished: Callable[[Iterable[AgentId]], set[AgentId]]) -> None:
        self.unfinished = unfinished  # which of these agents are not over
        self._waiting: dict[RequestId, ExternalWait] = {}
        self._by_target: dict[AgentId, set[RequestId]] = {}

    def add(self, wait: ExternalWait) -> None:
        """Add a wait; a repeated request is the same wait."""
        self._waiting[wait.request] = wait
        for target in wait.remaining:
            self._by_target.setdefault(target, set()).add(wait.request)

    def ended(self, agents: Iterable[AgentId]) -> list[ExternalWait]:
        """Remove and return the waits that the end of these agents satisfies. A retried agent is waited for again."""
        candidates = []  # of which enough targets have ended at some time
        for agent in agents:
            for request in self._by_target.pop(agent, set()):
                wait = self._waiting[request]
                wait.remaining.discard(agent)
                if wait.is_satisfied():
                    candidates.append(self._remove(wait))
        done = []
        for wait in candidates:
            wait.remaining = self.unfinished(wait.targets)
            if wait.is_satisfied():
                done.append(wait)
            else:
                self.add(wait)
        return done

    def expired(self, now: float) -> list[ExternalWait]:
        """Remove and return the waits that have timed out."""
        late = [wait for wait in self._waiting.values() if wait.deadline is not None and wait.deadline <= now]
        return [self._remove(wait) for wait in late]

    def targets(self) -> Iterator[AgentId]:
        """Return the targets of all waits."""
        for wait in self._waiting.values():
            yield from wait.targets

    def next_deadline(self) -> float | None:
        """Return the earliest time-out; None without any."""
        return min((wait.deadline for wait in self._waiting.values() if wait.deadline is not None), default=None)

    def drop(self, request: RequestId) -> None:
        """Remove the wait of a client that is gone."""
        if (wait := self._waiting.get(request)) is not None:
            self._remove(wait)

    def _remove(self, wait: ExternalWait) -> ExternalWait:
        del self._waiting[wait.request]
        for target in wait.remaining:
            requests = self._by_target[target]
            requests.discard(wait.request)
            if not requests:
                del self._by_target[target]
        return wait
