"""What a pm is asked for, and what it says."""

from __future__ import annotations

import json
from typing import Any

from tests.orchctl.conftest import Done

MOCK = ("--runner", "mock")


def issues(*names: str, **fields: Any) -> list[dict[str, Any]]:
    """Issues that are called so."""
    return [{"id": name, "title": f"Do {name}", **fields} for name in names]


def said(result: Done, code: int = 0) -> dict[str, Any]:
    """The report of a pm that ended with `code`."""
    assert result.code == code, result
    report: dict[str, Any] = json.loads(result.out)
    return report
