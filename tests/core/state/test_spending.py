"""What agents cost, and how much they may."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchd.core.state.spending import Budget, Spent

COUNTS = st.integers(0, 10**9)
SPENT = st.builds(Spent, COUNTS, COUNTS, COUNTS, COUNTS, st.floats(0, 1e6))


def test_cache_reads_do_not_count_as_tokens() -> None:
    assert Spent(1, 20, 300, 4000).tokens == 4021


@given(SPENT, SPENT)
def test_plus_adds_tokens_and_costs(spent: Spent, other: Spent) -> None:
    both = spent.plus(other)
    assert both.tokens == spent.tokens + other.tokens
    assert both.cache_read_tokens == spent.cache_read_tokens + other.cache_read_tokens
    assert both.cost_usd == spent.cost_usd + other.cost_usd
    assert spent.plus(Spent()) == spent


@pytest.mark.parametrize(
    ("budget", "reached"),
    [
        (Budget(), None),
        (Budget(tokens=1001), None),
        (Budget(tokens=1000), "1,000 of 1,000 tokens"),
        (Budget(cost_usd=2.51), None),
        (Budget(cost_usd=2.5), "$2.50 of $2.50"),
        (Budget(tokens=1001, cost_usd=1.0), "$2.50 of $1.00"),
    ],
)
def test_a_budget_is_reached_by_tokens_or_cost(budget: Budget, reached: str | None) -> None:
    assert budget.reached_by(Spent(400, 600, 9000, 0, 2.5)) == reached


def test_an_unknown_cost_is_none() -> None:
    unknown = Spent(5, cost_unknown=1)
    assert (Spent().known_cost, unknown.known_cost) == (0.0, None)
    both = unknown.plus(Spent(cost_usd=0.5)).plus(unknown)
    assert (both.known_cost, both.cost_unknown) == (0.5, 2)
