"""The ready queue: agents that wait for nothing but a place, in the order in which they may start.

Agents with the same claim are equally safe to admit, so each claim has a line of its own and admission only ever looks
at the heads of the lines: what cannot start now never has to be passed over one by one.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from typing import Any, NamedTuple

# Waiting this long is worth one step of priority: nobody starves, and nobody overtakes because of a minute.
AGING_SECONDS = 600.0


class Ticket(NamedTuple):
    """An agent's place in its line. Smaller starts first."""

    turn: float  # priority, raised by waiting
    height: int  # deeper first: finish what is begun
    number: int  # first come


def ticket(*, priority: int, age: float, depth: int, number: int) -> Ticket:
    """`age` is when the agent's root was queued, so that children keep the turn of the tree they belong to."""
    return Ticket(age // AGING_SECONDS - priority, -depth, number)


class Queue:
    """Lines of tickets by claim, and the tickets that only time makes ready."""

    def __init__(self) -> None:
        # Sorted lists: most tickets come at the end and go at the front, and 100,000 pointers move in microseconds.
        self._lines: dict[int, list[Ticket]] = {}
        self._delayed: list[tuple[float, int, Ticket]] = []

    def add(self, entry: Ticket, claim: int) -> None:
        """`entry` may start as soon as there is a place."""
        insort(self._lines.setdefault(claim, []), entry)

    def delay(self, entry: Ticket, claim: int, until: float) -> None:
        """`entry` may start at `until` at the earliest."""
        insort(self._delayed, (until, claim, entry))

    def discard(self, entry: Ticket, claim: int, until: float | None) -> None:
        """Forget `entry`, wherever it stands."""
        if until is not None:
            _remove(self._delayed, (until, claim, entry))
        if line := self._lines.get(claim):
            _remove(line, entry)
            if not line:
                del self._lines[claim]

    def due(self, now: float) -> bool:
        """Whether a delayed ticket's time has come."""
        return bool(self._delayed) and self._delayed[0][0] <= now

    def ripen(self, now: float) -> None:
        """Move what is due into its line."""
        while self.due(now):
            _, claim, entry = self._delayed.pop(0)
            self.add(entry, claim)

    def next_due(self) -> float | None:
        """When the first delayed ticket is due."""
        return self._delayed[0][0] if self._delayed else None

    def heads(self) -> list[tuple[Ticket, int]]:
        """The first of each line with its claim, best first."""
        return sorted((line[0], claim) for claim, line in self._lines.items())

    def line(self, claim: int) -> Iterator[Ticket]:
        """The tickets of one line, best first."""
        return iter(self._lines.get(claim, ()))

    def position(self, entry: Ticket) -> int:
        """How many ready tickets are before this one, plus one."""
        return 1 + sum(bisect_left(line, entry) for line in self._lines.values())

    def __len__(self) -> int:
        return sum(map(len, self._lines.values())) + len(self._delayed)

    def entries(self) -> Iterator[tuple[Ticket, int]]:
        """All tickets with their claims, in no particular order."""
        for claim, line in self._lines.items():
            yield from ((entry, claim) for entry in line)
        for _, claim, entry in self._delayed:
            yield entry, claim


def _remove(line: list[Any], entry: tuple[Any, ...]) -> None:
    index = bisect_left(line, entry)
    if index < len(line) and line[index] == entry:
        del line[index]
