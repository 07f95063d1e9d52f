"""From JSON values to types."""

from __future__ import annotations

from typing import Any

from orchctl.composition import Composition, CoordinationStrategy, SubSkill, composition_from
from orchctl.composition.parse import key_of

LEAST: dict[str, Any] = {"name": "team", "executionMode": "hybrid", "subSkills": [{"skillName": "api"}]}


def test_missing_keys_have_defaults() -> None:
    assert composition_from(LEAST) == Composition("team", "hybrid", (SubSkill("api"),))


def test_every_key_is_parsed() -> None:
    sub_skill = {
        "skillName": "api",
        "id": "first",
        "role": "r",
        "dependencies": ["a", "b"],
        "required": False,
        "tokenEstimate": 5,
        "runner": "claude",
        "command": ["x", "y"],
        "model": "opus",
        "timeout": "15m",
        "prompt": "p",
        "env": {"A": "B"},
    }
    strategy = {"errorHandling": "retry", "maxRetries": 3}
    value = {**LEAST, "subSkills": [sub_skill], "coordinationStrategy": strategy, "maxParallel": 2, "version": "1"}
    composition = composition_from({**value, "description": "d", "x-mine": 1})
    expected = SubSkill("api", "first", "r", ("a", "b"), False, 5, "claude", ("x", "y"), "opus", "15m", "p", {"A": "B"})
    assert composition == Composition("team", "hybrid", (expected,), "d", "1", 2, CoordinationStrategy("retry", 3))


def test_a_whole_number_may_be_written_with_a_point() -> None:
    composition = composition_from({**LEAST, "maxParallel": 3.0})
    assert (composition.max_parallel, type(composition.max_parallel)) == (3, int)


def test_key_of_converts_snake_case_to_camel_case() -> None:
    assert [key_of(name) for name in ("name", "skill_name", "a_longer_name")] == ["name", "skillName", "aLongerName"]
