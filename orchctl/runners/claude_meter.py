"""What a session of Claude Code has taken, as far as its stream has shown it.

Its own totals come with each result. A CLI that ends without one has shown its messages: of these, and of a request
that was on its way, an upper estimate is made, so that a budget also counts what was cut short.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from operator import add
from typing import Any

from orchctl.runners.harness.json_access import amount, at, count, items, text
from orchctl.runners.harness.outcome import Outcome, dollars
from orchd.instance import runner_config, runner_report

_REMEMBERED = 1000  # messages whose tokens have been counted: the parts of one message come close together
_TOKENS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")
_OF_USAGE = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
_OF_MODELS = ("inputTokens", "outputTokens", "cacheReadInputTokens", "cacheCreationInputTokens")
_NOTHING = (0, 0, 0, 0)
# The dearest list price of its models so far, in dollars for a million tokens, a cache of an hour included: without
# `prices` nothing says what this model costs.
_DEAREST = runner_config.Price(input=15.0, output=75.0, cache_read=1.5, cache_write=30.0)
_CHARACTERS = 2  # of a token at least: a message says when it begins how many tokens it has put out, which is none yet


class Meter:
    """Counts the tokens of one session: those of its results, and those of the messages since."""

    def __init__(self, prices: Mapping[str, runner_config.Price]) -> None:
        self._prices = prices
        self._known: tuple[int, ...] = _NOTHING  # with the last result
        self._cost: float | None = None  # with the last result, in dollars
        self._since: tuple[int, ...] = _NOTHING  # of the messages since the last result
        self._written = 0  # characters that the model has put out since
        self._context = 0  # tokens that the last request had read and written together
        self._is_asked = False  # whether a request is on its way
        self._counted: dict[str, None] = {}

    def ask(self) -> None:
        """A request for the next message is made."""
        self._is_asked = True

    def message(self, message: Any) -> None:
        """A message, or a part of one; the tokens of one message count once."""
        self._is_asked = False
        self._written += sum(len(_written(block)) for block in items(message, "content"))
        one = text(message, "id")
        if one in self._counted:
            return
        self._counted[one] = None
        if len(self._counted) > _REMEMBERED:
            del self._counted[next(iter(self._counted))]
        used = tuple(count(message, "usage", key) for key in _OF_USAGE)
        self._since = _sum(self._since, used)
        self._context = sum(used)

    def result(self, message: Any) -> None:
        """Take over its totals, which are those of the whole session, other models and agents of its own included.

        Without them the turn has what its `usage` says, or what was counted of its messages.
        """
        self._cost = amount(message, "total_cost_usd")
        models = at(message, "modelUsage")
        used = list(models.values()) if isinstance(models, dict) else []
        if used:
            self._known = tuple(sum(count(one, key) for one in used) for key in _OF_MODELS)
        elif isinstance(usage := at(message, "usage"), dict):
            self._known = _sum(self._known, (count(usage, key) for key in _OF_USAGE))
        else:
            self._known = _sum(self._known, self._since)
        self._since, self._written, self._is_asked = _NOTHING, 0, False

    def read(self, outcome: Outcome) -> None:
        """Say in `outcome` what was taken; of what has no result yet an upper estimate, with a note."""
        since = self._upper()
        for name, number in zip(_TOKENS, _sum(self._known, since), strict=True):
            setattr(outcome, name, number)
        outcome.cost_usd, outcome.cost_source = self._cost, "cli"
        if any(since):
            price = self._prices.get(outcome.model or "") or self._prices.get("*") or _DEAREST
            outcome.cost_usd = (self._cost or 0.0) + dollars(price, *since)
            outcome.cost_source = "estimated"
            outcome.note(
                runner_report.USAGE_ESTIMATED, "ended before it said what it took: tokens and cost are estimates"
            )
        elif self._is_asked:
            outcome.note(runner_report.USAGE_UNKNOWN, "ended before it said what it took: tokens and cost are unknown")

    def _upper(self) -> tuple[int, ...]:
        """The most that was taken since the last result, as far as is known: a request on its way reads the context of
        the last one anew."""
        read, written, cache_read, cache_write = self._since
        asked = self._context if self._is_asked else 0
        return (read, max(written, self._written // _CHARACTERS), cache_read, cache_write + asked)


def _written(block: Any) -> str:
    """What the model put out for a block."""
    given = at(block, "input")
    called = json.dumps(given, ensure_ascii=False) if given else ""
    return text(block, "text") + text(block, "thinking") + called


def _sum(one: Iterable[int], other: Iterable[int]) -> tuple[int, ...]:
    return tuple(map(add, one, other))
