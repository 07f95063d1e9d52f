"""Agents as the daemon shows them, for tests of code that only reads them."""

from __future__ import annotations

from typing import Any

QUEUED_AT = "2026-01-02T03:04:05.000Z"
STARTED_AT = "2026-01-02T03:05:05.000Z"
ENDED_AT = "2026-01-02T03:06:06.500Z"
NOW = 1767323165.0  # 2026-01-02T03:06:05Z


def agent(number: int, **fields: Any) -> dict[str, Any]:
    """Return a running agent without optional values, apart from `fields`."""
    return {
        "id": f"agent-{number:03d}",
        "name": "api",
        "goal": None,
        "status": "running",
        "level": "pm",
        "parent": None,
        "attempt": 1,
        "pid": 4711,
        "exit_code": None,
        "signal": None,
        "reason": None,
        "position": None,
        "queued_at": QUEUED_AT,
        "started_at": STARTED_AT,
        "ended_at": None,
        "cpu_seconds": None,
        "tokens": None,
        "rss_bytes": None,
        "memory_max": None,
        "memory_peak": None,
        "escaped": [],
        "cpu_max": None,
        "pids_max": None,
        **fields,
    }


def ended(number: int, **fields: Any) -> dict[str, Any]:
    """Return an agent that completed, apart from `fields`."""
    end_fields = {"status": "completed", "exit_code": 0, "pid": None, "ended_at": ENDED_AT}
    return agent(number, **{**end_fields, **fields})


def queued(number: int, position: int | None, **fields: Any) -> dict[str, Any]:
    """An agent in the queue."""
    return agent(
        number, **{"status": "queued", "position": position, "pid": None, "started_at": None, "attempt": 0, **fields}
    )


def answer(*agents: dict[str, Any], **limit: Any) -> dict[str, Any]:
    """A `status` answer."""
    used = {"limit": 7, "working": 3, "resident": 28, "living": 4, "overdrawn": 0, "paused": False, "held": {}, **limit}
    return {"daemon": {}, "limit": used, "levels": {"pm": 2, "composite": 0, "sub-skill": 1}, "agents": list(agents)}
