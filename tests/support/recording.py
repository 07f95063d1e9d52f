"""Functions that keep a list of their calls, for tests that count work instead of time."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def recording(calls: list[object], function: Callable[P, R]) -> Callable[P, R]:
    """Return `function` with a wrapper that appends the last positional argument of each call to `calls`."""

    def recorded(*args: P.args, **kwargs: P.kwargs) -> R:
        calls.append(args[-1])
        return function(*args, **kwargs)

    return recorded
