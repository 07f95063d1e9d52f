"""What a request asks."""

from __future__ import annotations

import pytest

from orchd.protocol import operations
from orchd.protocol.errors import WireError
from orchd.server.requests import shaped


def test_arguments_take_the_shape_of_their_op() -> None:
    assert shaped("limit", {"limit": 3}) == operations.Limit(3)
    with pytest.raises(WireError, match="unknown-op: 'fly' is no operation; there are spawn, run"):
        shaped("fly", {})
    with pytest.raises(WireError, match="bad-request: limit: limit must be"):
        shaped("limit", {"limit": 0})
