"""What a request asks."""

from __future__ import annotations

import pytest

from orchd.asked import is_change, shaped
from orchd.wire import WireError, ops


def test_arguments_take_the_shape_of_their_op() -> None:
    assert shaped("limit", {"limit": 3}) == ops.Limit(3)
    with pytest.raises(WireError, match="unknown-op: 'fly' is no operation; there are spawn, run"):
        shaped("fly", {})
    with pytest.raises(WireError, match="bad-request: limit: limit must be"):
        shaped("limit", {"limit": 0})


def test_a_number_is_changed_when_one_is_given() -> None:
    assert [is_change(one) for one in (ops.Limit(), ops.Limit(3), ops.Limit(resident=9))] == [False, True, True]
    assert [is_change(one) for one in (ops.Budget("1"), ops.Budget("1", 5), ops.Pause())] == [False, True, False]
