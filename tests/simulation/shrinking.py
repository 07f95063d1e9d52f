"""A failing history made short: steps are left out as long as it fails the same way (delta debugging, Zeller 1999)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from tests.simulation.performing import Failure, Performance
from tests.simulation.steps import Opening, Step

Item = TypeVar("Item")


def shrunken(opening: Opening, steps: Sequence[Step], failure: Failure) -> list[Step]:
    """The steps that a failure needs: none can be left out."""

    def fails(some: list[Step]) -> bool:
        failure_now = Performance(opening).run(some)
        return failure_now is not None and failure_now.where == failure.where

    return minimal(list(steps[: failure.after + 1]), fails)


def minimal(items: list[Item], fails: Callable[[list[Item]], bool]) -> list[Item]:
    """A part of `items` that still fails, and of which no single item can be left out."""
    size = max(1, len(items) // 2)
    while True:
        fewer = _thinned(items, size, fails)
        if len(fewer) == len(items):
            if size == 1:
                return items
            size = size // 2
        items = fewer


def _thinned(items: list[Item], size: int, fails: Callable[[list[Item]], bool]) -> list[Item]:
    """From the end: what comes last depends on what is before it, and seldom the other way round."""
    for start in reversed(range(0, len(items), size)):
        fewer = items[:start] + items[start + size :]
        if fails(fewer):
            items = fewer
    return items
