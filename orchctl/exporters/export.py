"""A row for each agent, with its times, tokens and costs. docs/guides/watching.md has every column with its unit.

Times come from the events of each attempt; attributes, tokens and costs come from the agent's status.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from orchctl.render import text as render
from orchctl.timeline import folding, lanes, summary
from orchctl.timeline.summary import History

Row = dict[str, Any]

_TOKENS = ("tokens", "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")
_ATTRIBUTES = ("run", "member", "session", "task_id", "skill", "runner", "model")
_STAMPS = ("queued_at", "started_at", "ended_at")
COLUMNS = (
    *("id", "name", "level", "parent", "after", *_ATTRIBUTES),
    *("status", "reason", "exit_code", "attempts", "queued_seconds", "worked_seconds", "waited_seconds"),
    *(*_STAMPS, *_TOKENS, "cost_usd", "cost_source"),
)


def rows(history: History, known: Mapping[str, Mapping[str, Any]]) -> list[Row]:
    """Return a row for each agent, oldest first, with the keys `COLUMNS`; unknown values are None.

    `known` has the agents as `status` shows them, by id.
    """
    of_status = (*_ATTRIBUTES, *_STAMPS, *_TOKENS, "exit_code", "cost_usd", "cost_source")
    now = history.end
    table: list[Row] = []
    for life in history.lives:
        agent = known.get(life.id, {})
        worked = sum(end - begin for attempt in life.attempts for begin, end in attempt.works(now))
        waits = (wait for attempt in life.attempts for wait in attempt.waits)
        values = {
            **{key: agent.get(key) for key in of_status},
            "id": life.id,
            "name": life.name,
            "level": life.level,
            "parent": life.parent,
            "after": " ".join(render.dependencies(agent)) or None,
            "status": agent.get("status", life.status),
            "reason": agent.get("reason", life.reason),
            "attempts": len(life.attempts),
            "queued_seconds": _rounded(sum(end - begin for begin, end in lanes.queued([life], now))),
            "worked_seconds": _rounded(worked),
            "waited_seconds": _rounded(sum((now if end is None else end) - begin for begin, end in waits)),
        }
        table.append({key: values[key] for key in COLUMNS})
    return table


def totals(history: History, rows: Sequence[Row]) -> dict[str, Any]:
    """Return the totals of `rows`.

    `sequential_seconds` is the sum of all attempts; `real_seconds` is the time in which at least
    one agent was queued, working or waiting, so that a night between two days is not counted. `speed_up` is the first
    divided by the second, `saved_seconds` their difference, and `utilisation` as in `orchctl timeline`.
    """
    sequential = sum(row["worked_seconds"] for row in rows)
    real = sum(end - begin for begin, end in folding.busy(history.lives, history.end))
    known = summary.numbers(history)
    paid = [row for row in rows if not render.is_simulated(row)]
    return {
        "agents": len(rows),
        "attempts": known.attempts,
        **{
            key: _rounded(sum(row[key] for row in rows))
            for key in ("queued_seconds", "worked_seconds", "waited_seconds")
        },
        "sequential_seconds": _rounded(sequential),
        "real_seconds": _rounded(real),
        "saved_seconds": _rounded(sequential - real),
        "speed_up": round(sequential / real, 3) if real else None,
        "utilisation": None if known.utilisation is None else round(known.utilisation, 4),
        **{
            key: None if all(row[key] is None for row in paid) else _rounded(sum(row[key] or 0 for row in paid))
            for key in (*_TOKENS, "cost_usd")
        },
        "agents_without_cost": len(rows) - sum(row["cost_usd"] is not None for row in paid),
    }


def _rounded(number: float) -> float:
    return round(number, 6)


def csv_of(rows: Iterable[Row]) -> str:
    """Return a line of column names, then a line for each row; unknown values are empty. Quoted as in RFC 4180."""
    text = io.StringIO()
    table = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    return text.getvalue()
