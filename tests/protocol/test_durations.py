"""Durations as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchd.protocol.durations import duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("90s", 90),
        ("15m", 900),
        ("2h", 7200),
        ("1d", 86400),
        (" 1.5h ", 5400),
        (0, 0),
        (2.5, 2.5),
        ("0", 0),
    ],
)
def test_a_valid_duration_is_parsed(text: str | float, seconds: float) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "s", "soon", "-1", "-5m", "nan", "inf", "1e999", "9e307d", "1w", "1h30m", float("nan")]
)
def test_an_invalid_duration_error_names_the_text_and_the_valid_forms(text: str | float) -> None:
    with pytest.raises(ValueError, match="15m") as caught:
        duration(text)
    assert repr(text.strip() if isinstance(text, str) else text) in str(caught.value)


@given(st.text())
def test_any_text_is_a_duration_or_a_value_error(text: str) -> None:
    try:
        assert duration(text) >= 0
    except ValueError as error:
        assert "is not a valid duration" in str(error)  # noqa: PT017 - either outcome is right


@given(st.floats(min_value=0, max_value=1e6), st.sampled_from([("s", 1), ("m", 60), ("h", 3600), ("d", 86400)]))
def test_a_unit_multiplies_the_number(number: float, unit: tuple[str, int]) -> None:
    letter, factor = unit
    assert duration(f"{number!r}{letter}") == number * factor
