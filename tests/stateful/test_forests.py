"""Nesting never deadlocks: whatever spawns and waits by a plan ends, or is told at once that it could not."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.stateful.forests import Play, random_forest, regular
from tests.stateful.stress import stress
from tests.stateful.world import new_world

ORDERS = st.randoms(use_true_random=True)


@pytest.mark.parametrize("is_declared", [True, False], ids=["declared", "undeclared"])
@pytest.mark.parametrize("times", [1, 4], ids=["resident=limit", "resident=4*limit"])
@pytest.mark.parametrize("limit", [7, 3, 1])
@settings(max_examples=10)
@given(order=ORDERS)
def test_seven_parents_with_three_children_with_two_each_all_end(
    limit: int,
    times: int,
    is_declared: bool,
    order: Random,
) -> None:
    world = new_world(limit, limit * times, is_thorough=False)
    Play(world, order).run(regular((7, 3, 2), is_declared=is_declared))
    if not is_declared:
        assert set(world.refusals) <= {"would-deadlock"}
    elif limit * times > 2:
        assert world.refusals == []
        assert len(world.completed) == 7 + 7 * 3 + 7 * 3 * 2
    else:
        assert world.refusals == ["nesting-too-large"]


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("limit", [1, 2, 3])
@settings(max_examples=600)
@given(order=ORDERS, extra=st.integers(0, 5))
def test_random_forests_end_or_are_told_that_they_could_not(limit: int, order: Random, extra: int) -> None:
    Play(new_world(limit, limit + extra, is_thorough=False), order).run(random_forest(order, 4, 4))


@settings(max_examples=60)
@given(order=ORDERS, limit=st.integers(1, 3), extra=st.integers(0, 5))
def test_in_small_forests_every_promise_holds_after_every_turn(order: Random, limit: int, extra: int) -> None:
    Play(new_world(limit, limit + extra), order).run(random_forest(order, 3, 3))


@stress
@pytest.mark.parametrize("limit", [1, 2, 3, 5])
@settings(max_examples=20_000)
@given(order=ORDERS, extra=st.integers(0, 8))
def test_tens_of_thousands_of_random_forests_end(limit: int, order: Random, extra: int) -> None:
    Play(new_world(limit, limit + extra, is_thorough=False), order).run(random_forest(order, 4, 6))


@stress
@settings(max_examples=3000)
@given(order=ORDERS, limit=st.integers(1, 4), extra=st.integers(0, 6))
def test_in_thousands_of_forests_every_promise_holds_after_every_turn(order: Random, limit: int, extra: int) -> None:
    Play(new_world(limit, limit + extra), order).run(random_forest(order, 4, 3))
