"""What a request asks."""

from __future__ import annotations

import pytest

from orchd.protocol import operations
from orchd.protocol.errors import WireError
from orchd.server.requests import is_change, shaped


def test_arguments_take_the_shape_of_their_op() -> None:
    assert shaped("limit", {"limit": 3}) == operations.Limit(3)
    with pytest.raises(WireError, match="unknown-op: 'fly' is no operation; there are spawn, run"):
        shaped("fly", {})
    with pytest.raises(WireError, match="bad-request: limit: limit must be"):
        shaped("limit", {"limit": 0})


def test_a_number_is_changed_when_one_is_given() -> None:
    assert [is_change(one) for one in (operations.Limit(), operations.Limit(3), operations.Limit(resident=9))] == [
        False,
        True,
        True,
    ]
    assert [is_change(one) for one in (operations.Budget("1"), operations.Budget("1", 5), operations.Pause())] == [
        False,
        True,
        False,
    ]
