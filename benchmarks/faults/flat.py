"""Whether a value is flat: its trend over the last half of a soak, beside what it may be."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import NamedTuple

_MOST_POINTS = 300  # what is compared with each other; more tells nothing more


class Bound(NamedTuple):
    """How much a value may grow in the measured half: a share of its median, and a fixed amount."""

    share: float
    least: float


BOUNDS = {
    "memory": Bound(0.05, 1.0),  # MB
    "descriptors": Bound(0.0, 3.0),
    "threads": Bound(0.0, 0.5),
    "latency": Bound(0.25, 0.1),  # ms
}


class Trend(NamedTuple):
    """The trend of one value, beside its bound."""

    median: float
    growth: float  # over the whole half
    bound: float

    @property
    def is_flat(self) -> bool:
        """Return whether the value grew by no more than its bound. A value that falls is no leak."""
        return self.growth <= self.bound


def trend(points: Sequence[tuple[float, float]], bound: Bound) -> Trend:
    """The median of the slopes between all pairs (Theil, Sen), which single spikes do not move, times the duration."""
    sampled = points[:: max(1, len(points) // _MOST_POINTS)]
    slopes = [
        (later[1] - before[1]) / (later[0] - before[0])
        for number, before in enumerate(sampled)
        for later in sampled[number + 1 :]
    ]
    median = statistics.median(value for _, value in points)
    growth = statistics.median(slopes) * (points[-1][0] - points[0][0])
    return Trend(median, growth, max(bound.share * median, bound.least))
