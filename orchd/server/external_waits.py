"""Waits of callers outside every agent: they hold no slot, so the core need not know of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from orchd.core.state.agents import AgentId, RequestId


@dataclass(slots=True)
class ExternalWait:
    """Somebody who wants to be told when agents have ended."""

    request: RequestId
    targets: tuple[AgentId, ...]
    is_any: bool
    deadline: float | None
    remaining: set[AgentId] = field(default_factory=set)

    def is_satisfied(self) -> bool:
        """Whether what it waits for has come about."""
        return len(self.remaining) < len(self.targets) if self.is_any else not self.remaining


class ExternalWaits:
    """Those who wait, by whom they wait for."""

    def __init__(self, unfinished: Callable[[Iterable[AgentId]], set[AgentId]]) -> None:
        self.unfinished = unfinished  # which of these agents are not over
        self._waiting: dict[RequestId, ExternalWait] = {}
        self._by_target: dict[AgentId, set[RequestId]] = {}

    def add(self, onlooker: ExternalWait) -> None:
        """It waits from now on; sent again, the request is the same wait."""
        self._waiting[onlooker.request] = onlooker
        for target in onlooker.remaining:
            self._by_target.setdefault(target, set()).add(onlooker.request)

    def ended(self, agents: Iterable[AgentId]) -> list[ExternalWait]:
        """Those whose wait is over because these agents are. One that is tried again is waited for again."""
        done = []
        for onlooker in self._seem_done(agents):
            onlooker.remaining = self.unfinished(onlooker.targets)
            if onlooker.is_satisfied():
                done.append(onlooker)
            else:
                self.add(onlooker)
        return done

    def _seem_done(self, agents: Iterable[AgentId]) -> list[ExternalWait]:
        """Those of whose targets enough have ended at some time. They do not wait any more."""
        waits = []
        for agent in agents:
            for request in self._by_target.pop(agent, set()):
                onlooker = self._waiting[request]
                onlooker.remaining.discard(agent)
                if onlooker.is_satisfied():
                    waits.append(self._remove(onlooker))
        return waits

    def expired(self, now: float) -> list[ExternalWait]:
        """Those whose time is up."""
        late = [wait for wait in self._waiting.values() if wait.deadline is not None and wait.deadline <= now]
        return [self._remove(onlooker) for onlooker in late]

    def targets(self) -> Iterator[AgentId]:
        """All that anybody waits for."""
        for onlooker in self._waiting.values():
            yield from onlooker.targets

    def next_deadline(self) -> float | None:
        """When the first one's time is up."""
        return min((wait.deadline for wait in self._waiting.values() if wait.deadline is not None), default=None)

    def drop(self, request: RequestId) -> None:
        """It has gone away."""
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
