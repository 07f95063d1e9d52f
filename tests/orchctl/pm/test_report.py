"""The report of a pm."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchctl.pm.report import lines, lost_row, report, row_of
from tests.orchctl.agents import ended

ENTRY = {"id": "bd-1", "agent": "agent-001", "item": {"title": "Sign in"}}
MONEY: dict[str, Any] = {"tokens": 1200, "cost_usd": 0.5, "branch": None}
MORE: dict[str, Any] = {"name": "pm-1", "left": {}, "troubles": [], "skipped": []}


def row(number: int, begin: int, end: int, **fields: Any) -> dict[str, Any]:
    """Return a developer that worked between these seconds of a minute."""
    times = {key: f"2026-01-02T03:04:{second:02d}.000Z" for key, second in (("queued_at", begin), ("ended_at", end))}
    agent = ended(number, **{**MONEY, **times, "started_at": times["queued_at"], **fields})
    return row_of({**ENTRY, "id": f"bd-{number}"}, agent, Path("/none"))


def test_seven_parallel_developers_have_a_speed_up_of_seven() -> None:
    summary = report([row(number, 0, 30) for number in range(1, 8)], **MORE)
    assert (summary["one_by_one_seconds"], summary["wall_seconds"], summary["speed_up"]) == (210, 30, 7)
    assert (summary["tokens"], summary["cost_usd"], summary["counts"]) == (8400, 3.5, {"completed": 7})
    printed = list(lines(summary))
    assert printed[0] == "bd-1  agent-001  completed  30s  1,200 tokens  $0.50"
    assert printed[-1] == (
        "pm-1: 7 developers, 7 completed; 30s wall time (3m 30s sequential, 7.0x speed-up); 8,400 tokens; $3.50"
    )


def test_idle_time_does_not_count() -> None:
    summary = report([row(1, 0, 10), row(2, 5, 12), row(3, 6, 8), row(4, 40, 50)], **MORE)
    assert (summary["wall_seconds"], summary["one_by_one_seconds"]) == (22, 29)


def test_queue_time_counts_as_wall_time(tmp_path: Path) -> None:
    late = row(1, 0, 30, started_at="2026-01-02T03:04:20.000Z")
    assert late["seconds"] == 10
    assert report([late], **MORE)["speed_up"] == pytest.approx(0.33)


def test_a_failure_is_shown_with_its_reason_and_an_existing_result(tmp_path: Path) -> None:
    (tmp_path / "r.md").touch()
    bad = row_of(ENTRY, ended(1, **MONEY, status="failed", reason="exit code\n1"), tmp_path / "r.md")
    assert bad["result"] == str(tmp_path / "r.md")
    summary = report([bad, row(2, 0, 1, tokens=None, cost_usd=None)], **{**MORE, "left": {"bd-3": "after bd-1"}})
    assert next(lines(summary)).endswith(f"{tmp_path}/r.md  exit code 1")
    assert "bd-3  not started: after bd-1" in list(lines(summary))


def test_an_agent_unknown_to_the_daemon_is_reported_as_lost() -> None:
    summary = report([lost_row(ENTRY, Path("/none"))], **MORE)
    assert (summary["counts"], summary["speed_up"], summary["cost_usd"]) == ({"lost": 1}, None, None)
    assert list(lines(summary)) == [
        "bd-1  agent-001  lost  unknown to the daemon",
        "pm-1: 1 developer, 1 lost",
    ]


def test_an_empty_report_is_printed_and_escape_sequences_are_removed() -> None:
    assert list(lines(report([], **MORE))) == ["pm-1: nothing is ready"]
    odd = row_of({**ENTRY, "id": "a\x1b[2J"}, ended(1, **MONEY), Path("/none"))
    assert "\x1b" not in "".join(lines(report([odd], **{**MORE, "troubles": ["\x1b"], "left": {"\x1b": "\x1b"}})))
