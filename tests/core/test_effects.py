"""Effects: all that the shell can be asked for."""

from __future__ import annotations

import dataclasses
from typing import get_args

import pytest

from orchd.core import effects
from orchd.core.effects import Answer, Effect, Refuse
from orchd.core.state.agents import RequestId
from orchd.core.turn import Question
from tests.core.box import declared_in


def test_the_effect_union_is_complete_and_two_effects_are_questions() -> None:
    declared = declared_in(effects)
    assert declared == set(get_args(Effect))
    assert set(get_args(Question)) == {effects.Launch, effects.CheckOutput}


@pytest.mark.parametrize(
    "kind", [effects.Launch, effects.Release, effects.Terminate, effects.Kill, effects.CheckOutput]
)
def test_process_effects_carry_agent_and_attempt(kind: type) -> None:
    assert [field.name for field in dataclasses.fields(kind)] == ["agent", "attempt"]


def test_a_reply_has_no_agents_and_no_timeout_by_default() -> None:
    request = RequestId("r")
    assert Answer(request) == Answer(request, (), timed_out=False)
    assert Refuse(request, "code", "message").details == {}
