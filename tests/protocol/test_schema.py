"""Shapes: a right map becomes a value, a wrong one a sentence with the path to what is wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchd.protocol import operations
from orchd.protocol.schema import Constraint, ShapeError, parse, violations


@dataclass(frozen=True, slots=True)
class Inner:
    """A part."""

    size: int
    share: Annotated[float, Constraint(lambda number: number > 0, "above 0")] | None = None


@dataclass(frozen=True, slots=True)
class Outer:
    """A whole."""

    name: str
    parts: tuple[Inner, ...] = ()
    env: dict[str, str] = field(default_factory=dict)
    is_on: bool = False
    level: Annotated[int, Constraint(lambda number: number < 9, "below 9")] = 0
    named: dict[str, Inner] = field(default_factory=dict)


def wrong(value: object, shape: type = Outer) -> str:
    """The error of a value that does not fit."""
    with pytest.raises(ShapeError) as caught:
        parse(shape, value)
    return str(caught.value)


def test_a_whole_map_becomes_a_value() -> None:
    value = {"name": "a", "parts": [{"size": 1, "share": 2}, {"size": 3}], "env": {"A": "b"}, "is_on": True, "level": 8}
    assert parse(Outer, value) == Outer("a", (Inner(1, 2.0), Inner(3)), {"A": "b"}, is_on=True, level=8)
    assert parse(Outer, {"name": "a", "named": {"x": {"size": 1}}}).named == {"x": Inner(1)}


def test_a_missing_key_gets_its_default_and_null_becomes_none() -> None:
    assert parse(Outer, {"name": "a"}) == Outer("a")
    assert parse(Inner, {"size": 1, "share": None}).share is None


def test_two_values_share_no_default() -> None:
    assert parse(Outer, {"name": "a"}).env is not parse(Outer, {"name": "a"}).env


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ([], "the value must be a map, not a list"),
        (None, "the value must be a map, not nothing"),
        ({}, "name is missing"),
        ({"name": 7}, "name must be a string, not a whole number"),
        ({"name": None}, "name must be a string, not nothing"),
        ({"name": b"x"}, "name must be a string, not bytes"),
        ({"name": "a\0"}, "name must not contain a NUL character: 'a\\x00'"),
        ({"name": "a", "nmae": 1}, "nmae is an unknown key; known keys are env, is_on, level, name, named, parts"),
        ({"name": "a", 7: 1}, "7 is an unknown key; known keys are env, is_on, level, name, named, parts"),
        ({"name": "a", "is_on": 1}, "is_on must be true or false, not a whole number"),
        ({"name": "a", "level": True}, "level must be a whole number, not true or false"),
        ({"name": "a", "level": 1.0}, "level must be a whole number, not a number"),
        ({"name": "a", "level": 9}, "level must be below 9, not 9"),
        ({"name": "a", "level": 2**63}, "level must be a 64-bit integer, not 9223372036854775808"),
        ({"name": "a", "level": -(2**63) - 1}, "level must be a 64-bit integer, not -9223372036854775809"),
        ({"name": "a", "parts": "ab"}, "parts must be a list, not a string"),
        ({"name": "a", "parts": {}}, "parts must be a list, not a map"),
        ({"name": "a", "parts": [{"size": 1}, 7]}, "parts[1] must be a map, not a whole number"),
        ({"name": "a", "parts": [{"size": 1, "share": -1}]}, "parts[0].share must be above 0, not -1.0"),
        ({"name": "a", "parts": [{"size": 1, "share": "1"}]}, "parts[0].share must be a number, not a string"),
        ({"name": "a", "parts": [{"size": 1, "share": True}]}, "parts[0].share must be a number, not true or false"),
        ({"name": "a", "parts": [{}]}, "parts[0].size is missing"),
        ({"name": "a", "parts": [{"size": 1, "x": 1}]}, "parts[0].x is an unknown key; known keys are share, size"),
        ({"name": "a", "env": []}, "env must be a map, not a list"),
        ({"name": "a", "env": {"A": 1}}, "env must map strings to strings, not 'A' to a whole number"),
        ({"name": "a", "env": {1: "A"}}, "env must map strings to strings, not 1 to a string"),
        ({"name": "a", "env": {"": "x"}}, "env has a key or value that is not valid in an environment: ''"),
        ({"name": "a", "env": {"A=B": "x"}}, "env has a key or value that is not valid in an environment: 'A=B'"),
        ({"name": "a", "env": {"A\0": "x"}}, "env has a key or value that is not valid in an environment: 'A\\x00'"),
        ({"name": "a", "env": {"A": "x\0"}}, "env has a key or value that is not valid in an environment: 'A'"),
        ({"name": "a", "named": []}, "named must be a map, not a list"),
        ({"name": "a", "named": {"x": 1}}, "named.x must be a map, not a whole number"),
        ({"name": "a", "named": {"x": {"size": "1"}}}, "named.x.size must be a whole number, not a string"),
        ({"name": "a", "named": {7: {}}}, "named has a key that is not valid: 7; keys have 1 to 100 characters"),
        ({"name": "a", "named": {"": {}}}, "named has a key that is not valid: ''; keys have 1 to 100 characters"),
    ],
)
def test_an_invalid_value_is_refused_with_its_path(value: object, sentence: str) -> None:
    assert wrong(value) == sentence


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_a_number_is_finite(number: float) -> None:
    assert wrong({"size": 1, "share": number}, Inner) == f"share must be a finite number, not {number!r}"


def test_an_error_message_stays_short_for_any_value() -> None:
    assert len(wrong({"name": "a", "x" * 10_000: 1})) < 200
    assert len(wrong({"name": "x" * 10_000 + "\0"})) < 200
    assert len(wrong({"name": "a", "named": {"x" * 10_000: {}}})) < 200


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.integers(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["name", "parts", "env", "is_on", "level", "named", "x"]), ANYTHING))
def test_anything_is_a_value_of_the_shape_or_a_shape_error(value: dict[str, Any]) -> None:
    try:
        outer = parse(Outer, value)
    except ShapeError as error:
        assert any(word in str(error) for word in ("must", "unknown key", "missing", "NUL", "a key"))  # noqa: PT017
    else:
        assert isinstance(outer.name, str)
        assert all(isinstance(part, Inner) for part in outer.parts)


def test_every_problem_is_reported_with_its_key_and_the_intended_key() -> None:
    value = {"nmae": 1, "parts": 7, "level": "x" * 99, "named": {"a": {"size": 1}, "b": {"szie": 1}}, "is_on": 1}
    assert list(violations(Outer, value)) == [
        ("nmae", "nmae is an unknown key; did you mean name?", "name"),
        ("name", "name is missing", None),
        ("parts", "parts must be a list, not a whole number: 7", None),
        ("is_on", "is_on must be true or false, not a whole number: 1", None),
        ("level", f"level must be a whole number, not a string: '{'x' * 56}...", None),
        ("named.b.szie", "named.b.szie is an unknown key; did you mean named.b.size?", "named.b.size"),
        ("named.b.size", "named.b.size is missing", None),
    ]


def test_a_list_is_walked_to_its_first_bad_item_and_counts_as_one_key() -> None:
    value = {"name": "a", "parts": [{"size": 1}, {"szie": 1, "share": "x"}, {}]}
    assert list(violations(Outer, value, "top")) == [
        ("top.parts", "top.parts[1].szie is an unknown key; did you mean top.parts[1].size?", "top.parts[1].size"),
        ("top.parts", "top.parts[1].size is missing", None),
        ("top.parts", "top.parts[1].share must be a number, not a string: 'x'", None),
    ]


def test_reported_problems_are_limited_to_100() -> None:
    assert len(list(violations(Outer, {"name": "a", "named": {str(number): {} for number in range(10_000)}}))) == 100
    assert len(list(violations(Outer, {str(number): 1 for number in range(10_000)}))) == 100


def test_a_problem_message_omits_values_inside_a_map() -> None:
    problems = list(violations(Outer, {"name": "a", "env": {"TOKEN": "hush", "N": 1}}))
    assert [problem.key for problem in problems] == ["env"]
    assert "hush" not in problems[0].message
    assert [problem.message for problem in violations(Outer, 7)] == ["the value must be a map, not a whole number"]
    assert [problem.key for problem in violations(Outer, {"name": "a", "named": {7: {}}})] == ["named"]


@given(st.dictionaries(st.sampled_from(["name", "parts", "env", "is_on", "level", "named", "x"]), ANYTHING))
def test_there_are_problems_exactly_when_no_value_can_be_built(value: dict[str, Any]) -> None:
    try:
        parse(Outer, value)
    except ShapeError as error:
        problems = list(violations(Outer, value))
        assert problems[0].key == error.key.removeprefix(".")  # noqa: PT017 - the first of the walk is raised
        assert {problem.key.partition(".")[0] for problem in problems} <= {*value, "name"}
    else:
        assert list(violations(Outer, value)) == []


def test_a_too_long_list_is_refused_before_its_items_are_checked() -> None:
    spec = {"agents": [object()] * 10_001, "cwd": "/"}
    with pytest.raises(ShapeError) as caught:
        parse(operations.Spawn, spec)
    assert (
        str(caught.value) == "agents must be a list of 1 to 10,000 agents, not 10,001; split it into several requests"
    )
    with pytest.raises(ShapeError, match="must be a list, not a string"):
        parse(operations.Cancel, {"ids": "x" * 20_000})
