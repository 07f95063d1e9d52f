"""Facts: the words in which everything that happened is remembered."""

from __future__ import annotations

import dataclasses
import re
from typing import get_args

import pytest

from orchd.core import facts
from orchd.core.facts import AgentFact, BoxFact, Fact, RunFact
from orchd.core.table import NEXT
from tests.core.box import declared_in

ALL = get_args(Fact)
PAST = re.compile(r"(ed|Began|Lost|Heard|TimedOut)$")


def test_every_fact_is_about_an_agent_a_run_or_the_box() -> None:
    declared = declared_in(facts)
    assert declared == set(get_args(AgentFact)) | set(get_args(RunFact)) | set(get_args(BoxFact)) == set(ALL)


@pytest.mark.parametrize("fact", ALL)
def test_a_fact_is_in_the_past_tense_and_never_changes(fact: type) -> None:
    assert PAST.search(fact.__name__)
    assert fact.__dataclass_params__.frozen  # type: ignore[attr-defined]


@pytest.mark.parametrize("fact", get_args(AgentFact))
def test_a_fact_about_an_agent_names_it_first_and_has_its_row_in_the_table(fact: type) -> None:
    assert dataclasses.fields(fact)[0].name == "agent"
    assert fact in {kind for _, kind in NEXT}


@pytest.mark.parametrize("fact", [*get_args(BoxFact), *get_args(RunFact)])
def test_a_fact_about_the_box_or_a_run_moves_no_agent(fact: type) -> None:
    assert "agent" not in {field.name for field in dataclasses.fields(fact)}
    assert fact not in {kind for _, kind in NEXT}
