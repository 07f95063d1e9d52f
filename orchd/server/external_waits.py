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

    def add(self, onlooker: ExternalWait) -> None:
        """Add a wait; a repeated request is the same wait."""
        self._waiting[onlooker.request] = onlooker
        for target in onlooker.remaining:
            self._by_target.setdefault(target, set()).add(onlooker.request)

    def ended(self, agents: Iterable[AgentId]) -> list[ExternalWait]:
        """Remove and return the waits that the end of these agents satisfies. A retried agent is waited for again."""
        done = []
        for onlooker in self._seem_done(agents):
            onlooker.remaining = self.unfinished(onlooker.targets)
            if onlooker.is_satisfied():
                done.append(onlooker)
            else:
                self.add(onlooker)
        return done

    def _seem_done(self, agents: Iterable[AgentId]) -> list[ExternalWait]:
        """Remove and return the waits of which enough targets have ended at some time."""
        waits = []
        for agent in agents:
            for request in self._by_target.pop(agent, set()):
                onlooker = self._waiting[request]
                onlooker.remaining.discard(agent)
                if onlooker.is_satisfied():
                    waits.append(self._remove(onlooker))
        return waits

    def expired(self, now: float) -> list[ExternalWait]:
        """Remove and return the waits that have timed out."""
        late = [wait for wait in self._waiting.values() if wait.deadline is not None and wait.deadline <= now]
        return [self._remove(onlooker) for onlooker in late]

    def targets(self) -> Iterator[AgentId]:
        """Return the targets of all waits."""
        for onlooker in self._waiting.values():
            yield from onlooker.targets

    def next_deadline(self) -> float | None:
        """Return the earliest time-out; None without any."""
        return min((wait.deadline for wait in self._waiting.values() if wait.deadline is not None), default=None)

    def drop(self, request: RequestId) -> None:
        """Remove the wait of a client that is gone."""
        if (onlooker := self._waiting.get(request)) is not None:
            self._remove(onlooker)

    def _remove(self, onlooker: ExternalWait) -> ExternalWait:
        del self._waiting[onlooker.request]
        for target in onlooker.remaining:
            requests = self._by_target[target]
            requests.discard(onlooker.request)
            if not requests:
                del self._by_target[target]
        return onlooker
