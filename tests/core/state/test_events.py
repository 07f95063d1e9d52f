"""Facts: the words in which everything that happened is remembered."""

from __future__ import annotations

import dataclasses
import re
from typing import get_args

import pytest

from orchd.core.state import events
from orchd.core.state.events import AgentFact, BoxFact, Fact, RunFact, SessionFact
from orchd.core.state.transitions import NEXT
from tests.core.box import declared_in

ALL = get_args(Fact)
PAST = re.compile(r"(ed|Began|Lost|Heard|TimedOut|Frozen|Seen)$")


def test_every_fact_is_about_an_agent_a_run_a_session_or_the_box() -> None:
    kinds = [set(get_args(kind)) for kind in (AgentFact, RunFact, SessionFact, BoxFact)]
    assert declared_in(events) == set().union(*kinds) == set(ALL)


@pytest.mark.parametrize("fact", ALL)
def test_a_fact_is_in_the_past_tense_and_never_changes(fact: type) -> None:
    assert PAST.search(fact.__name__)
    assert fact.__dataclass_params__.frozen  # type: ignore[attr-defined]


@pytest.mark.parametrize("fact", get_args(AgentFact))
def test_a_fact_about_an_agent_names_it_first_and_has_its_row_in_the_table(fact: type) -> None:
    assert dataclasses.fields(fact)[0].name == "agent"
    assert fact in {kind for _, kind in NEXT}


@pytest.mark.parametrize("fact", [*get_args(BoxFact), *get_args(RunFact), *get_args(SessionFact)])
def test_a_fact_about_anything_else_moves_no_agent(fact: type) -> None:
    assert "agent" not in {field.name for field in dataclasses.fields(fact)}
    assert fact not in {kind for _, kind in NEXT}
