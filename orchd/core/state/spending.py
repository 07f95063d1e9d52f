"""What agents cost, and how much they may."""

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
        """Dollars; None when nothing is known of them. Of some attempts alone it is the least that was spent."""
        return None if self.cost_unknown and not self.cost_usd else self.cost_usd

    @property
    def tokens(self) -> int:
        """What budgets count: all but those read from a cache, which cost a tenth and are many."""
        return self.input_tokens + self.output_tokens + self.cache_write_tokens

    def plus(self, other: Spent) -> Spent:
        """Both together."""
        return Spent(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cache_read_tokens + other.cache_read_tokens,
            self.cache_write_tokens + other.cache_write_tokens,
            self.cost_usd + other.cost_usd,
            self.cost_unknown + other.cost_unknown,
        )


class Budget(NamedTuple):
    """How much a session or run may cost before nothing more of it is started. None is without end."""

    tokens: int | None = None
    cost_usd: float | None = None

    def reached_by(self, spent: Spent) -> str | None:
        """Which of the two numbers is reached, in words; None while neither is."""
        if self.tokens is not None and spent.tokens >= self.tokens:
            return f"{spent.tokens:,} of {self.tokens:,} tokens"
        if self.cost_usd is not None and spent.cost_usd >= self.cost_usd:
            return f"${spent.cost_usd:.2f} of ${self.cost_usd:.2f}"
        return None
