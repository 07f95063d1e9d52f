"""The shapes of requests."""

from __future__ import annotations

import pytest

from orchd.protocol import operations
from orchd.protocol.errors import WireError
from orchd.server.requests import shaped


def test_arguments_take_the_shape_of_their_op() -> None:
    assert shaped("limit", {"limit": 3}) == operations.Limit(3)
    with pytest.raises(WireError, match="unknown-op: unknown operation 'fly'; valid operations are spawn, run"):
        shaped("fly", {})
    with pytest.raises(WireError, match="bad-request: limit: limit must be"):
        shaped("limit", {"limit": 0})


def test_an_unknown_field_is_named_in_the_error_details() -> None:
    with pytest.raises(WireError) as caught:
        shaped("spawn", {"agents": [{"command": ["x"], "colour": 1}], "cwd": "/"})
    assert caught.value.details == {"unknown": "agents[0].colour"}
    wrong: list[dict[str, object]] = [{"cwd": "/"}, {"cwd": "/", "\udcff": 1}]
    for args in wrong:
        with pytest.raises(WireError) as caught:
            shaped("spawn", args)
        assert caught.value.details == {}
