"""Attempts assigned to lanes, a lane for each slot in use, and counts over time: the input of a drawing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from heapq import heappop, heappush
from itertools import accumulate, groupby
from typing import NamedTuple

from orchctl.history.lifecycles import AttemptHistory, Lifecycle

Span = tuple[float, float]


class Bar(NamedTuple):
    """A span of an attempt in one lane."""

    life: Lifecycle
    attempt: AttemptHistory
    begin: float
    end: float
    lane: int = 0
    is_last: bool = True  # of its attempt


def working(lives: Iterable[Lifecycle], now: float) -> list[Bar]:
    """Return the spans in which each attempt held a slot."""
    blocks = []
    for life in lives:
        for attempt in life.attempts:
            spans = attempt.works(now)
            blocks += [Bar(life, attempt, *span, is_last=span is spans[-1]) for span in spans]
    return in_lanes(blocks)


def waiting(lives: Iterable[Lifecycle], now: float) -> list[Bar]:
    """Return the spans in which each attempt waited for other agents and held no slot."""
    every = ((life, attempt, wait) for life in lives for attempt in life.attempts for wait in attempt.waits)
    return in_lanes(
        [Bar(life, attempt, begin, now if end is None else end, is_last=False) for life, attempt, (begin, end) in every]
    )


def in_lanes(blocks: Sequence[Bar]) -> list[Bar]:
    """Return each block in the first lane that is free when it begins, with as few lanes as possible."""
    free: list[int] = []
    busy: list[tuple[float, int]] = []
    placed = []
    for block in sorted(blocks, key=lambda block: (block.begin, block.end, block.life.id, block.attempt.admitted)):
        while busy and busy[0][0] <= block.begin:
            heappush(free, heappop(busy)[1])
        lane = heappop(free) if free else len(busy)
        heappush(busy, (block.end, lane))
        placed.append(block._replace(lane=lane))
    return placed


def queued(lives: Iterable[Lifecycle], now: float) -> list[Span]:
    """Return the spans in which agents were queued for their next attempt."""
    spans = []
    for life in lives:
        spans += [(attempt.queued, attempt.admitted) for attempt in life.attempts]
        is_queued = not life.attempts or life.attempts[-1].queued < life.queued
        if is_queued:
            spans.append((life.queued, now if life.ended is None else life.ended))
    return [(begin, end) for begin, end in spans if end > begin]


def counts(spans: Iterable[Span]) -> list[tuple[float, int]]:
    """Return how many spans overlap: the count from each moment at which it changes."""
    edges = sorted(edge for begin, end in spans for edge in ((begin, 1), (end, -1)))
    moments = [(at, sum(change for _, change in edge)) for at, edge in groupby(edges, key=lambda edge: edge[0])]
    totals = accumulate(change for _, change in moments)
    return [(at, total) for (at, _), total in zip(moments, totals, strict=True)]


def area(steps: Sequence[tuple[float, int]], end: float) -> float:
    """Return the integral of a count over time, up to `end`."""
    ends = [*(at for at, _ in steps[1:]), end][: len(steps)]
    return sum(count * max(0.0, min(until, end) - at) for (at, count), until in zip(steps, ends, strict=True))
