"""The shapes of what is asked about keys and from afar; that others are refused is tested with every op."""

from __future__ import annotations

import pytest

from orchd.protocol.remote_operations import MOST_BYTES, KeyAuthorize, KeyRevoke, Output
from orchd.protocol.schema import ShapeError, parse

GOOD = {"key": "laptop", "public": "a1" * 32, "role": "user"}


def test_valid_key_and_output_arguments_are_parsed() -> None:
    assert parse(KeyAuthorize, GOOD) == KeyAuthorize("laptop", "a1" * 32, "user")
    assert parse(Output, {"id": "1", "offset": -9}).count == MOST_BYTES


@pytest.mark.parametrize("wrong", [{"key": "../x"}, {"public": "a1" * 31}, {"public": "A1" * 32}, {"role": "root"}])
def test_invalid_key_arguments_are_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ShapeError):
        parse(KeyAuthorize, {**GOOD, **wrong})


def test_an_output_count_is_bounded_and_a_key_name_is_not_empty() -> None:
    for count in (0, MOST_BYTES + 1):
        with pytest.raises(ShapeError):
            parse(Output, {"id": "1", "count": count})
    with pytest.raises(ShapeError):
        parse(KeyRevoke, {"key": ""})
