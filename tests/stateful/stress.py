"""The long way: thousands of examples, for `make stress` and not for `make test`."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

_MARKS = (
    pytest.mark.stress,
    pytest.mark.timeout(7200),
    pytest.mark.skipif(os.environ.get("ORCHD_PROFILE") != "stress", reason="minutes long: ORCHD_PROFILE=stress"),
)


def stress(test: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a test that takes minutes."""
    for mark in _MARKS:
        test = mark(test)
    return test
