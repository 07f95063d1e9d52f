"""Bounds of values, shared by the shapes of requests and the options of the command line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

LONGEST_GOAL = 4096  # characters


class Constraint(NamedTuple):
    """A condition on a value of the right type, and the words that finish `must be ...`."""

    holds: Callable[[Any], bool]
    words: str
    is_early: bool = False  # of a list, before its items are looked at: there may be very many


GOAL = Constraint(
    lambda text: len(text) <= LONGEST_GOAL,
    "at most 4,096 characters (give a longer text on standard input, with `stdin` or --stdin -)",
)
NAME = Constraint(lambda text: 0 < len(text) <= 200, "1 to 200 characters")
DEPENDENCY = Constraint(lambda text: 0 < len(text) <= 210, "1 to 210 characters")
POSITIVE = Constraint(lambda number: number > 0, "above 0")
NOT_NEGATIVE = Constraint(lambda number: number >= 0, "0 or more")
AT_LEAST_ONE = Constraint(lambda number: number >= 1, "1 or more")
PRIORITY = Constraint(lambda number: -100 <= number <= 100, "between -100 and 100")
RETRIES = Constraint(lambda number: 0 <= number <= 1000, "between 0 and 1000")
LIMIT = Constraint(lambda number: 1 <= number <= 10_000, "between 1 and 10,000")
BUDGET = Constraint(lambda number: 0 < number <= 10**15, "between 1 and 10^15")
TOKENS = Constraint(lambda number: 0 <= number <= 10**12, "between 0 and 10^12")
MEMORY = Constraint(lambda amount: amount >= 1 << 20, "at least 1M (1048576 bytes)")
PROCESSORS = Constraint(lambda number: 0.01 <= number <= 10_000, "between 1% and 1,000,000%")
PIDS = Constraint(lambda number: number >= 4, "4 or more (its supervising shell counts)")
