"""Counting the tokens and cost of a Claude Code session from its stream.

Each result has the totals of the session. For a CLI that ends without a result, an upper estimate is made of its
messages and of a pending request, so that a budget also counts interrupted work.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from operator import add
from typing import Any

from orchctl.runners.harness.json_access import amount, at, count, items, text
from orchctl.runners.harness.outcome import RunnerOutcome, dollars
from orchd.instance import runner_config, runner_report

_REMEMBERED = 1000  # messages whose tokens have been counted: the parts of one message come close together
_TOKENS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")
_OF_USAGE = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
_OF_MODELS = ("inputTokens", "outputTokens", "cacheReadInputTokens", "cacheCreationInputTokens")
_NOTHING = (0, 0, 0, 0)
# The dearest list price of its models so far, in dollars for a million tokens, a cache of an hour included: without
# `prices` nothing says what this model costs.
_DEAREST = runner_config.Price(input=15.0, output=75.0, cache_read=1.5, cache_write=30.0)
_CHARACTERS = 2  # of a token at least: the usage in a message is that of its beginning, when it has no output yet


class Meter:
    """Counts the tokens of a session: the totals of its results, and the tokens of the messages since."""

    def __init__(self, prices: Mapping[str, runner_config.Price]) -> None:
        self._prices = prices
        self._known: tuple[int, ...] = _NOTHING  # with the last result
        self._cost: float | None = None  # with the last result, in dollars
        self._since: tuple[int, ...] = _NOTHING  # of the messages since the last result
        self._written = 0  # characters of the output since
        self._context = 0  # input and output tokens of the last request together
        self._is_pending = False  # whether a request has no message yet
        self._counted: dict[str, None] = {}

    def ask(self) -> None:
        """Note that a request for the next message is made."""
        self._is_pending = True

    def message(self, message: Any) -> None:
        """Count a message, or a part of it; the tokens of a message count once."""
        self._is_pending = False
        self._written += sum(len(_written(block)) for block in items(message, "content"))
        message_id = text(message, "id")
        if message_id in self._counted:
            return
        self._counted[message_id] = None
        if len(self._counted) > _REMEMBERED:
            del self._counted[next(iter(self._counted))]
        used = tuple(count(message, "usage", key) for key in _OF_USAGE)
        self._since = _sum(self._since, used)
        self._context = sum(used)

    def result(self, message: Any) -> None:
        """Take over the totals of a result, which cover the whole session with other models and subagents.

        Without totals the turn counts by its `usage`, or else by its messages.
        """
        self._cost = amount(message, "total_cost_usd")
        models = at(message, "modelUsage")
        used = list(models.values()) if isinstance(models, dict) else []
        if used:
            self._known = tuple(sum(count(model, key) for model in used) for key in _OF_MODELS)
        elif isinstance(usage := at(message, "usage"), dict):
            self._known = _sum(self._known, (count(usage, key) for key in _OF_USAGE))
        else:
            self._known = _sum(self._known, self._since)
        self._since, self._written, self._is_pending = _NOTHING, 0, False

    def read(self, outcome: RunnerOutcome) -> None:
        """Write tokens and cost to `outcome`; without a result an upper estimate, with a note.

        A pending request is taken to read the context of the last request anew.
        """
        read, written, cache_read, cache_write = self._since
        context = self._context if self._is_pending else 0
        since = (read, max(written, self._written // _CHARACTERS), cache_read, cache_write + context)
        for name, number in zip(_TOKENS, _sum(self._known, since), strict=True):
            setattr(outcome, name, number)
        outcome.cost_usd, outcome.cost_source = self._cost, "cli"
        if any(since):
            price = self._prices.get(outcome.model or "") or self._prices.get("*") or _DEAREST
            outcome.cost_usd = (self._cost or 0.0) + dollars(price, *since)
            outcome.cost_source = "estimated"
            outcome.note(
                runner_report.USAGE_ESTIMATED, "ended before it reported its usage: tokens and cost are estimates"
            )
        elif self._is_pending:
            outcome.note(runner_report.USAGE_UNKNOWN, "ended before it reported its usage: tokens and cost are unknown")


def _written(block: Any) -> str:
    """Return all that the model wrote in a block."""
    arguments = at(block, "input")
    call = json.dumps(arguments, ensure_ascii=False) if arguments else ""
    return text(block, "text") + text(block, "thinking") + call


def _sum(left: Iterable[int], right: Iterable[int]) -> tuple[int, ...]:
    return tuple(map(add, left, right))
