"""The time axis of a timeline: long idle gaps are folded into narrow breaks, everything else is to scale."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from orchctl.history.lifecycles import Lifecycle
from orchctl.timeline import lanes
from orchctl.timeline.lanes import Span

_SHARE = 0.1  # of the time with agents: a longer gap is folded
_MOST = 0.4  # of the axis, which all breaks together take at most


def busy(lives: Iterable[Lifecycle], now: float) -> list[Span]:
    """Return the spans in which at least one agent was queued, working or waiting, in order and disjoint."""
    lives = list(lives)
    spans = lanes.queued(lives, now)
    for life in lives:
        spans += [(attempt.admitted, now if attempt.ended is None else attempt.ended) for attempt in life.attempts]
    merged: list[Span] = []
    for begin, end in sorted(spans):
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        elif end > begin:
            merged.append((begin, end))
    return merged


def gaps(lives: Iterable[Lifecycle], begin: float, end: float) -> list[Span]:
    """Return the spans without any agent that are longer than a tenth of the time with agents."""
    within = [(max(first, begin), min(last, end)) for first, last in busy(lives, end) if last > begin]
    shortest = _SHARE * sum(last - first for first, last in within)
    between = zip([begin, *(last for _, last in within)], [*(first for first, _ in within), end], strict=True)
    return [gap for gap in between if gap[1] - gap[0] > shortest > 0]


class Break(NamedTuple):
    """A folded gap, and the columns or pixels from `left` to `right` that stand for it."""

    begin: float
    end: float
    left: float
    right: float


class Axis:
    """The position, between 0 and `width`, of each moment from `begin` to `end`."""

    def __init__(self, begin: float, end: float, width: float, folded: Sequence[Span] = (), break_width: float = 0.0):
        self.begin, self.end, self.width = begin, end, width
        if folded:
            break_width = min(break_width, _MOST * width / len(folded))
        self.seconds = max(end - begin - sum(last - first for first, last in folded), 0.001)  # of what is to scale
        self._scale = (width - break_width * len(folded)) / self.seconds
        self.breaks: list[Break] = []
        self._edges = [(begin, 0.0)]
        at, x = begin, 0.0
        for first, last in folded:
            x += (first - at) * self._scale
            self.breaks.append(Break(first, last, x, x + break_width))
            self._edges += [(first, x), (last, x + break_width)]
            at, x = last, x + break_width
        self._edges.append((end, width))

    def x(self, at: float) -> float:
        """Return the position of a moment; a moment outside the axis is at the nearest end."""
        if at <= self.begin:
            return 0.0
        if at >= self.end:
            return self.width
        index = bisect_right(self._edges, at, key=lambda edge: edge[0])
        (first, left), (last, right) = self._edges[index - 1], self._edges[index]
        return left + (at - first) / (last - first) * (right - left)

    def ticks(self, step: float, origin: float) -> Iterator[float]:
        """Yield the multiples of `step` after `origin` that are not folded away."""
        begins = [self.begin, *(fold.end for fold in self.breaks)]
        ends = [*(fold.begin for fold in self.breaks), self.end]
        for begin, end in zip(begins, ends, strict=True):
            number = max(0, int((begin - origin) / step))
            while (at := origin + number * step) <= end:
                if at >= begin:
                    yield at
                number += 1
