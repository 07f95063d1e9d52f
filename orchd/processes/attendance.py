"""Deadlines for checks on attempts that no kernel event reports: once after the start, and while an attempt ends.

No event reports that a shim was stopped, and a shim that is stopped cannot report the end of its agent. So the agent's
own process is watched, which is looked for once, so late that short agents have ended by then. After its end, and after
a kill, there are looks with growing pauses until the shim has ended too. Nothing is looked at while agents just run.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
FIRST = 1.0  # seconds after the beginning
PATIENCE = 0.5  # seconds after which a shim that stays idle is ended itself
_SHORTEST, _LONGEST = 0.1, 1.0  # pauses between two looks
_AT_ONCE = 20  # attempts that are looked at in one turn


@dataclass(slots=True)
class _Ending:
    """The checks of an attempt that ends."""

    since: float
    due: float
    pause: float = _SHORTEST


@dataclass
class Attendance(Generic[Key]):
    """Deadlines of checks, at most one for each attempt."""

    _first: deque[tuple[float, Key]] = field(default_factory=deque)  # in their order, for all wait equally long
    _new: set[Key] = field(default_factory=set)
    _ending: dict[Key, _Ending] = field(default_factory=dict)

    def begin(self, key: Key, now: float) -> None:
        """Schedule one check, unless the attempt ends before."""
        self._new.add(key)
        self._first.append((now + FIRST, key))

    def end(self, key: Key, now: float) -> None:
        """Schedule checks with growing pauses until the attempt has ended."""
        if key not in self._ending:
            self._ending[key] = _Ending(now, now + _SHORTEST)

    def leave(self, key: Key) -> None:
        """Cancel the checks of an attempt."""
        self._new.discard(key)
        self._ending.pop(key, None)

    def ends_for(self, key: Key, now: float) -> float:
        """Return seconds since `end` was called; 0 if it was not."""
        ending = self._ending.get(key)
        return 0.0 if ending is None else now - ending.since

    def next_deadline(self) -> float | None:
        """Return the time of the next check; None without any."""
        while self._first and self._first[0][1] not in self._new:
            self._first.popleft()
        deadlines = [ending.due for ending in self._ending.values()]
        if self._first:
            deadlines.append(self._first[0][0])
        return min(deadlines, default=None)

    def due(self, now: float) -> list[Key]:
        """Return the attempts to check now, a bounded number."""
        keys: list[Key] = []
        while self._first and self._first[0][0] <= now and len(keys) < _AT_ONCE:
            key = self._first.popleft()[1]
            if key in self._new:
                self._new.discard(key)
                keys.append(key)
        for key, ending in self._ending.items():
            if ending.due <= now and len(keys) < _AT_ONCE:
                ending.pause = min(2 * ending.pause, _LONGEST)
                ending.due = now + ending.pause
                keys.append(key)
        return keys
