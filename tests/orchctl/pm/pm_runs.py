"""Issues for a pm, and the report of a pm."""

from __future__ import annotations

import json
from typing import Any

from tests.orchctl.conftest import CommandResult

MOCK = ("--runner", "mock")


def issues(*names: str, **fields: Any) -> list[dict[str, Any]]:
    """Return issues with these names."""
    return [{"id": name, "title": f"Do {name}", **fields} for name in names]


def pm_report(result: CommandResult, code: int = 0) -> dict[str, Any]:
    """Return the report of a pm that ended with `code`."""
    assert result.code == code, result
    report: dict[str, Any] = json.loads(result.out)
    return report
