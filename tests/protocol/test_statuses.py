"""The words of statuses and events are those of the core."""

from __future__ import annotations

from typing import get_args

from orchctl.composition import checks
from orchd.core.state.agents import LIVING, OVER, SIMULATED, Condition, Status
from orchd.core.state.events import Event
from orchd.protocol import dependencies, statuses
from orchd.store.codec import event_name

EVENTS = {event_name(kind.__new__(kind)) for kind in get_args(Event)}


def words(members: frozenset[Status]) -> set[str]:
    """The statuses as text."""
    return {status.value for status in members}


def test_the_status_words_equal_the_statuses_of_the_core() -> None:
    assert set(statuses.FINISHED) == words(OVER)
    assert set(statuses.ALIVE) == words(LIVING) | {"paused"}
    assert {*statuses.UNFINISHED, *statuses.FINISHED} == {status.value for status in Status} | {"paused"}
    assert set(statuses.FAILED) == words(Condition.FAILED.satisfied_by)


def test_the_simulated_cost_word_equals_the_word_of_the_core() -> None:
    assert statuses.SIMULATED == SIMULATED


def test_every_end_name_is_the_name_of_an_event() -> None:
    assert {*statuses.ENDS, *statuses.AGAIN} <= EVENTS


def test_the_request_conditions_equal_the_conditions_of_the_core() -> None:
    assert set(dependencies.CONDITIONS) == set(checks.CONDITIONS) == {condition.value for condition in Condition}
