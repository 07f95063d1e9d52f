"""An agent and a condition in one text."""

from __future__ import annotations

import pytest

from orchd.core.state.agents import Condition
from orchd.protocol.dependencies import CONDITIONS, split, unknown


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("api", ("", None)),
        ("api:any", ("api", "any")),
        ("api:failed", ("api", "failed")),
        ("api:completed", ("api", "completed")),
        ("api:faild", ("api", None)),
        ("a:b:any", ("a:b", "any")),
        (":any", ("", None)),
        ("api:", ("api", None)),
    ],
)
def test_the_text_behind_the_last_colon_is_the_condition(text: str, expected: tuple[str, str | None]) -> None:
    assert split(text) == expected


def test_the_conditions_equal_the_conditions_of_the_core() -> None:
    assert set(CONDITIONS) == {condition.value for condition in Condition}


def test_an_unknown_condition_error_lists_the_three_conditions() -> None:
    message = unknown("api:faild")
    assert "'faild' is not a condition" in message
    assert "use api:completed, api:failed, api:any, or api alone" in message
