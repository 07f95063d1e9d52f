"""The usage of agents in tokens and dollars, and budgets for it."""

from __future__ import annotations

from typing import NamedTuple


class Spent(NamedTuple):
    """Tokens as an agent's CLI counts them, and dollars, which may be an estimate of the CLI's."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cost_usd: float = 0.0  # of the attempts whose cost is known
    cost_unknown: int = 0  # attempts whose cost is not known

    @property
    def known_cost(self) -> float | None:
        """Dollars; None when the cost of no attempt is known. If only some are known it is a lower bound."""
        return None if self.cost_unknown and not self.cost_usd else self.cost_usd

    @property
    def tokens(self) -> int:
        """The tokens that budgets count: all but the tokens read from a cache, which cost a tenth and are many."""
        return self.input_tokens + self.output_tokens + self.cache_write_tokens

    def plus(self, other: Spent) -> Spent:
        """Return the sum of both."""
        return Spent(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cache_read_tokens + other.cache_read_tokens,
            self.cache_write_tokens + other.cache_write_tokens,
            self.cost_usd + other.cost_usd,
            self.cost_unknown + other.cost_unknown,
        )


class Budget(NamedTuple):
    """The maximum usage of a session or run; when it is reached, no more of its agents start. None is no limit."""

    tokens: int | None = None
    cost_usd: float | None = None

    def reached_by(self, spent: Spent) -> str | None:
        """Return which of the two limits is reached, as text; None while neither is."""
        if self.tokens is not None and spent.tokens >= self.tokens:
            return f"{spent.tokens:,} of {self.tokens:,} tokens"
        if self.cost_usd is not None and spent.cost_usd >= self.cost_usd:
            return f"${spent.cost_usd:.2f} of ${self.cost_usd:.2f}"
        return None
