"""The limit: two counts, and whether all that lives can end."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchd.core.admission import slots
from orchd.core.admission.slots import is_safe, is_safe_with, smallest_safe_resident
from orchd.core.state.agents import Agent, Level, Status, agent_id
from orchd.core.state.indexes import enter_indexes
from orchd.core.state.state import State
from tests.core.box import spec

CLAIMS = st.lists(st.integers(1, 5), max_size=5).map(sorted)


def living(*agents: tuple[Status, int], limit: int = 2, resident: int = 4) -> State:
    """A state with agents of these statuses and claims."""
    state = State(limit=limit, resident=resident)
    for number, (status, claim) in enumerate(agents, 1):
        new_id = agent_id(number)
        enter_indexes(state, Agent(new_id, spec(), Level.PM, (), claim=claim, age=0.0, status=status))
    return state


def can_all_end(resident: int, claims: tuple[int, ...]) -> bool:
    """Whether there is an order in which each can be given all it may ask for, once those before it have ended."""

    def works(order: tuple[int, ...]) -> bool:
        free = resident - len(order)
        for claim in order:
            if claim > free:
                return False
            free += 1
        return True

    return any(works(order) for order in permutations(claims))


def test_agents_hold_slots_while_starting_running_or_stopping_not_waiting() -> None:
    every = [(status, 0) for status in (Status.STARTING, Status.RUNNING, Status.STOPPING, Status.WAITING)]
    state = living(*every)
    assert slots.working(state) == 3
    assert slots.overdrawn(state) == 1
    assert not slots.has_slot(state)
    assert not slots.has_resident_slot(state, 0)


def test_slots_are_free_until_both_limits_are_reached() -> None:
    state = living((Status.RUNNING, 0), (Status.WAITING, 1))
    assert slots.has_slot(state)
    assert slots.has_resident_slot(state, 2)
    assert slots.overdrawn(state) == 0


def test_only_claims_above_zero_count_smallest_first() -> None:
    state = living((Status.RUNNING, 2), (Status.RUNNING, 0), (Status.WAITING, 1))
    assert slots.claims(state) == [1, 2]


@given(st.integers(1, 8), CLAIMS)
def test_a_state_is_safe_when_some_order_lets_all_agents_end(resident: int, claims: list[int]) -> None:
    assert is_safe(resident, claims) == can_all_end(resident, tuple(claims))


@pytest.mark.parametrize(
    ("resident", "claims", "safe"),
    [
        (1, [], True),
        (1, [1], False),
        (2, [1], True),
        (2, [1, 1], False),
        (3, [1, 1], True),
        (3, [2, 2], False),
        (4, [1, 3], True),
    ],
)
def test_safe_by_example(resident: int, claims: list[int], safe: bool) -> None:
    assert is_safe(resident, claims) == safe


def test_a_leaf_is_always_safe_to_admit() -> None:
    assert is_safe_with(living((Status.WAITING, 1), resident=2), 0)


@given(st.integers(1, 8), CLAIMS, st.integers(1, 5))
def test_a_new_agent_is_safe_when_all_agents_with_it_can_end(resident: int, claims: list[int], claim: int) -> None:
    state = living(*((Status.RUNNING, claim) for claim in claims), resident=resident)
    assert is_safe_with(state, claim) == can_all_end(resident, (*claims, claim))


@given(CLAIMS)
def test_the_smallest_safe_resident_is_safe_and_one_less_is_not(claims: list[int]) -> None:
    least = smallest_safe_resident(claims)
    assert is_safe(least, claims)
    assert least == 1 or not is_safe(least - 1, claims)


@given(CLAIMS, st.integers(1, 8), st.data())
def test_an_ending_agent_never_makes_a_safe_state_unsafe(claims: list[int], resident: int, data: st.DataObject) -> None:
    if claims and is_safe(resident, claims):
        claims.remove(data.draw(st.sampled_from(claims)))
        assert is_safe(resident, claims)


@pytest.mark.parametrize(("depth", "bound"), [(0, 2), (1, 3), (2, 4), (3, 4)])
def test_resident_slots_are_reserved_for_a_chain_where_enough_exist(depth: int, bound: int) -> None:
    assert slots.resident_bound(State(limit=2, resident=4), depth) == bound
    assert slots.resident_bound(State(limit=3, resident=4), depth) == 4
