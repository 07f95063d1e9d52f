"""Events: the words in which everything that happened is remembered."""

from __future__ import annotations

import dataclasses
import re
from typing import get_args

import pytest

from orchd.core.state import events
from orchd.core.state.events import AgentEvent, Event, HostEvent, RunEvent, SessionEvent
from orchd.core.state.transitions import NEXT
from tests.core.box import declared_in

ALL = get_args(Event)
PAST = re.compile(r"(ed|Began|Lost|Heard|TimedOut|Frozen|Seen)$")


def test_every_event_is_about_an_agent_a_run_a_session_or_the_host() -> None:
    kinds = [set(get_args(kind)) for kind in (AgentEvent, RunEvent, SessionEvent, HostEvent)]
    assert declared_in(events) == set().union(*kinds) == set(ALL)


@pytest.mark.parametrize("event", ALL)
def test_an_event_is_in_the_past_tense_and_never_changes(event: type) -> None:
    assert PAST.search(event.__name__)
    assert event.__dataclass_params__.frozen  # type: ignore[attr-defined]


@pytest.mark.parametrize("event", get_args(AgentEvent))
def test_an_event_about_an_agent_names_it_first_and_has_a_transition(event: type) -> None:
    assert dataclasses.fields(event)[0].name == "agent"
    assert event in {kind for _, kind in NEXT}


@pytest.mark.parametrize("event", [*get_args(HostEvent), *get_args(RunEvent), *get_args(SessionEvent)])
def test_an_event_about_anything_else_changes_no_agent(event: type) -> None:
    assert "agent" not in {field.name for field in dataclasses.fields(event)}
    assert event not in {kind for _, kind in NEXT}
