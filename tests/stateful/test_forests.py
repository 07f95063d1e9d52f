"""Nesting never deadlocks: whatever spawns and waits by a plan ends, or is told at once that it could not."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchd.core.state.state import Guards, State
from tests.stateful.forests import CUT, POLL, Play, mixed_forest, random_forest, regular
from tests.stateful.stress import stress
from tests.stateful.world import World, new_world

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
@settings(max_examples=300)
@given(order=ORDERS, extra=st.integers(0, 5))
def test_random_forests_end_or_are_refused(limit: int, order: Random, extra: int) -> None:
    Play(new_world(limit, limit + extra, is_thorough=False), order).run(random_forest(order, 4, 4))


@settings(max_examples=60)
@given(order=ORDERS, limit=st.integers(1, 3), extra=st.integers(0, 5))
def test_in_small_forests_every_promise_holds_after_every_turn(order: Random, limit: int, extra: int) -> None:
    Play(new_world(limit, limit + extra), order).run(random_forest(order, 3, 3))


def fleets(styles: tuple[str, ...], limit: int, resident: int, depth: int, count: int) -> None:
    """As many forests of agents that declare nothing: never one over the limit, none stuck.

    With room for a chain beside a full limit no wait is refused and all end; without, a stall may be announced.
    """
    dice = Random(7)
    for number in range(count):
        order = Random(dice.getrandbits(40))
        state = State(limit=limit, resident=resident, guards=Guards(depth=depth))
        world = World(state, is_thorough=number % 20 == 0, is_roomy=resident >= limit + depth - 1)
        have_ended = Play(world, order).run(mixed_forest(order, depth, 10 if depth == 3 else 5, styles))
        if world.is_roomy:
            assert have_ended
            assert world.refusals == []


def test_the_chain_reserve_stays_free_while_an_ended_wait_can_return() -> None:
    order = Random(
        380828963614
    )  # a new agent goes before one that returns; it took the reserve, and a wait was refused
    world = World(State(limit=3, resident=6, guards=Guards(depth=4)), is_thorough=True, is_roomy=True)
    assert Play(world, order).run(mixed_forest(order, 4, 5, STYLES["waits"]))
    assert world.refusals == []


FLEETS = [(1, 4, 3), (1, 1, 3), (2, 8, 3), (3, 3, 4), (3, 6, 4), (7, 28, 4), (7, 7, 5), (7, 11, 5)]
STYLES = {"waits": ("all", *CUT), "polls": (POLL,), "both": ("all", *CUT, POLL)}


@pytest.mark.parametrize(("limit", "resident", "depth"), FLEETS)
@pytest.mark.parametrize("styles", STYLES.values(), ids=STYLES)
def test_fleets_that_wait_in_pieces_or_poll_stay_in_the_limit_and_end(
    styles: tuple[str, ...], limit: int, resident: int, depth: int
) -> None:
    fleets(styles, limit, resident, depth, 4)


@stress
@pytest.mark.parametrize(("limit", "resident", "depth"), FLEETS)
@pytest.mark.parametrize("styles", STYLES.values(), ids=STYLES)
def test_hundreds_of_fleets_that_wait_in_pieces_or_poll_stay_in_the_limit_and_end(
    styles: tuple[str, ...], limit: int, resident: int, depth: int
) -> None:
    fleets(styles, limit, resident, depth, 800)


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
