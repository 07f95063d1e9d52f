"""Access to JSON of an unknown shape."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchctl.runners.harness import json_access

VALUE = {"a": [{"b": "x"}, 2, True], "n": -1, "big": 10**15, "nan": float("nan"), "0": "zero"}


def test_at_returns_an_existing_value_or_none() -> None:
    assert json_access.at(VALUE, "a", 0, "b") == "x"
    assert json_access.at(VALUE, "a", -1) is True
    assert json_access.at(VALUE, "a", 7) is None
    assert json_access.at(VALUE, "a", "b") is None
    assert json_access.at(VALUE, 0) is None


@pytest.mark.parametrize(
    ("place", "value"), [("a.0.b", "x"), ("a.-2", 2), ("0", "zero"), ("a.x", None), ("a.0.b.c", None), (None, None)]
)
def test_a_path_consists_of_keys_and_indices(place: str | None, value: object) -> None:
    assert json_access.placed(VALUE, place) == value


def test_values_that_are_not_valid_amounts_are_none() -> None:
    assert json_access.amount(VALUE, "a", 1) == 2.0
    assert [json_access.amount(VALUE, key) for key in ("n", "big", "nan", "a", "x")] == [None] * 5
    assert json_access.amount(VALUE, "a", 2) is None
    assert (json_access.count({"x": 2.9}, "x"), json_access.count(VALUE, "n")) == (2, 0)


@pytest.mark.parametrize("text", [b"", b"{", b"\xff", b"[" * 100_000, b"9" * 10_000])
def test_invalid_json_is_parsed_as_none(text: bytes) -> None:
    assert json_access.parsed(text) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner, max_size=3),
    max_leaves=6,
)
STEPS = st.lists(st.sampled_from(["a", "b", 0, -1]), max_size=3)


@given(JSON, STEPS)
def test_access_to_any_path_of_any_json_raises_no_error(value: Any, path: list[Any]) -> None:
    assert isinstance(json_access.text(value, *path), str)
    assert isinstance(json_access.items(value, *path), list)
    assert json_access.count(value, *path) >= 0
