"""Bounds of values; that the options of `spawn` have those of the request is shown in orchctl/commands/test_spec."""

from __future__ import annotations

import subprocess
import sys

import pytest

from orchd.protocol import bounds


@pytest.mark.parametrize(
    ("bound", "least", "most", "step"),
    [
        (bounds.PRIORITY, -100, 100, 1),
        (bounds.RETRIES, 0, 1000, 1),
        (bounds.LIMIT, 1, 10_000, 1),
        (bounds.BUDGET, 1, 10**15, 1),
        (bounds.TOKENS, 0, 10**12, 1),
        (bounds.PROCESSORS, 0.01, 10_000, 0.001),
    ],
)
def test_a_range_includes_its_ends(bound: bounds.Constraint, least: float, most: float, step: float) -> None:
    assert [bool(bound.holds(value)) for value in (least - step, least, most, most + step)] == [
        False,
        True,
        True,
        False,
    ]


def test_the_bounds_import_no_framework() -> None:
    found = "[name for name in ('msgpack', 'dataclasses') if name in sys.modules]"
    script = f"import sys, orchd.protocol.bounds; print({found})"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=True)
    assert result.stdout == "[]\n"
