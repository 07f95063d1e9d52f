"""The ready queue: agents that lack nothing but a slot, in the order in which they may start.

Agents with the same claim are equally safe to admit, members of a group share its limit, agents of a session its
budget, and agents of a runner its service. So each such combination has a line of its own and admission only looks at
the heads of the lines: agents that cannot start now never have to be skipped individually.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from typing import Any, NamedTuple

# Waiting this long is worth one step of priority: no agent starves, and none overtakes another by a minute.
AGING_SECONDS = 600.0


class QueueKey(NamedTuple):
    """The properties that agents in the same line have in common."""

    claim: int
    run: str = ""  # of members of a run
    group: str = ""
    session: str = ""
    runner: str = ""
    depth: int = 0  # levels of agents above


class SortKey(NamedTuple):
    """The position of an agent in its line. Smaller starts first."""

    turn: float  # priority, raised by waiting
    height: int  # deeper first: finish what is begun
    first: int  # first come, first served; the members of a run come when its first member does
    way: float  # within a run, the longest way to its end first
    number: int


def ticket(
    *, priority: int, age: float, depth: int, number: int, first: int | None = None, weight: float = 0.0
) -> SortKey:
    """Return a sort key. `age` is when the agent's root was queued, so that children keep the turn of their tree."""
    return SortKey(age // AGING_SECONDS - priority, -depth, number if first is None else first, -weight, number)


class Queue:
    """Lines of tickets by claim, and the delayed tickets."""

    def __init__(self) -> None:
        # Sorted lists: most tickets come at the end and go at the front, and 100,000 pointers move in microseconds.
        self._lines: dict[QueueKey, list[SortKey]] = {}
        self._delayed: list[tuple[float, QueueKey, SortKey]] = []
        self._heads: list[tuple[SortKey, QueueKey]] = []  # the first of each line, sorted: needed after each input

    def add(self, entry: SortKey, line: QueueKey) -> None:
        """Add `entry`, which may start as soon as there is a slot."""
        tickets = self._lines.setdefault(line, [])
        if not tickets or entry < tickets[0]:
            if tickets:
                _remove(self._heads, (tickets[0], line))
            insort(self._heads, (entry, line))
        insort(tickets, entry)

    def delay(self, entry: SortKey, line: QueueKey, until: float) -> None:
        """Add `entry`, which may start at `until` at the earliest."""
        insort(self._delayed, (until, line, entry))

    def discard(self, entry: SortKey, line: QueueKey, until: float | None) -> None:
        """Remove `entry` from its line and from the delayed tickets."""
        if until is not None:
            _remove(self._delayed, (until, line, entry))
        if tickets := self._lines.get(line):
            was_first = tickets[0] == entry
            _remove(tickets, entry)
            if was_first:
                _remove(self._heads, (entry, line))
                if tickets:
                    insort(self._heads, (tickets[0], line))
            if not tickets:
                del self._lines[line]

    def due(self, now: float) -> bool:
        """Whether the time of a delayed ticket has come."""
        return bool(self._delayed) and self._delayed[0][0] <= now

    def ripen(self, now: float) -> None:
        """Move delayed tickets that are due into their lines."""
        while self.due(now):
            _, line, entry = self._delayed.pop(0)
            self.add(entry, line)

    def next_due(self) -> float | None:
        """Return when the first delayed ticket is due; None without one."""
        return self._delayed[0][0] if self._delayed else None

    def heads(self) -> Sequence[tuple[SortKey, QueueKey]]:
        """Return the first ticket of each line, best first. Not valid after `add` or `discard`."""
        return self._heads

    def tickets(self, line: QueueKey) -> Iterator[SortKey]:
        """Yield the tickets of a line, best first."""
        return iter(self._lines.get(line, ()))

    def length(self, line: QueueKey) -> int:
        """Return the number of tickets in a line."""
        return len(self._lines.get(line, ()))

    def first_of(self, line: QueueKey, wanted: Iterable[SortKey]) -> SortKey | None:
        """Return the best of `wanted` that stands in this line, or None."""
        tickets = self._lines.get(line, [])
        indexes = ((bisect_left(tickets, entry), entry) for entry in wanted)
        return min((entry for at, entry in indexes if at < len(tickets) and tickets[at] == entry), default=None)

    def in_order(self) -> Iterator[SortKey]:
        """Yield all tickets that stand in a line, best first."""
        return merge(*self._lines.values())

    def position(self, entry: SortKey) -> int:
        """Return the number of ready tickets before `entry`, plus one."""
        return 1 + sum(bisect_left(tickets, entry) for tickets in self._lines.values())

    def __len__(self) -> int:
        return sum(map(len, self._lines.values())) + len(self._delayed)

    def entries(self) -> Iterator[tuple[SortKey, QueueKey]]:
        """Yield all tickets with their lines, in no particular order."""
        for line, tickets in self._lines.items():
            yield from ((entry, line) for entry in tickets)
        for _, line, entry in self._delayed:
            yield entry, line


def _remove(line: list[Any], entry: tuple[Any, ...]) -> None:
    index = bisect_left(line, entry)
    if index < len(line) and line[index] == entry:
        del line[index]
