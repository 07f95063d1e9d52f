"""What agents took, a row for each: values in, values out. docs/watching.md has every column with its unit.

Times come from the facts, attempt by attempt; what was asked for, tokens and costs come from the agent itself.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from orchctl.history.lifecycles import Life
from orchctl.render import text as render
from orchctl.timeline import folding, lanes, summary
from orchctl.timeline.summary import History

Row = dict[str, Any]

_TOKENS = ("tokens", "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")
_SAID = ("run", "member", "session", "task_id", "skill", "runner", "model")
_STAMPS = ("queued_at", "started_at", "ended_at")
COLUMNS = (
    *("id", "name", "level", "parent", "after", *_SAID),
    *("status", "reason", "exit_code", "attempts", "queued_seconds", "worked_seconds", "waited_seconds"),
    *(*_STAMPS, *_TOKENS, "cost_usd", "cost_source"),
)


def rows(history: History, known: Mapping[str, Mapping[str, Any]]) -> list[Row]:
    """A row for each agent, oldest first, with the keys `COLUMNS`; None for what is not known of it.

    `known` are the agents as `status` shows them, by their ids.
    """
    return [_row(life, history.end, known.get(life.id, {})) for life in history.lives]


def _row(life: Life, now: float, agent: Mapping[str, Any]) -> Row:
    worked = sum(end - begin for attempt in life.attempts for begin, end in attempt.works(now))
    waits = (wait for attempt in life.attempts for wait in attempt.waits)
    found = {
        **dict.fromkeys(COLUMNS),
        **{key: agent.get(key) for key in (*_SAID, *_STAMPS, *_TOKENS, "exit_code", "cost_usd", "cost_source")},
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
    return {key: found[key] for key in COLUMNS}


def totals(history: History, rows: Sequence[Row]) -> dict[str, Any]:
    """What the rows come to.

    `sequential_seconds` is what all attempts worked, one after the other; `real_seconds` is the time in which at least
    one agent was queued, at work or waiting, so that a night between two days is not counted. `speed_up` is the first
    over the second, `saved_seconds` their difference, and `utilisation` as `orchctl timeline` has it.
    """
    sequential = sum(row["worked_seconds"] for row in rows)
    real = _covered(history)
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
        **{key: _added(row[key] for row in paid) for key in (*_TOKENS, "cost_usd")},
        "agents_without_cost": len(rows) - sum(row["cost_usd"] is not None for row in paid),
    }


def _covered(history: History) -> float:
    """Seconds in which at least one agent was not over."""
    return sum(end - begin for begin, end in folding.busy(history.lives, history.end))


def _added(numbers: Iterable[float | None]) -> float | None:
    """None when nothing is known of any."""
    found = [number for number in numbers if number is not None]
    return _rounded(sum(found)) if found else None


def _rounded(number: float) -> float:
    return round(number, 6)


def csv_of(rows: Iterable[Row]) -> str:
    """A line with the names of the columns, then one for each row; what is not known is empty. RFC 4180 quotes."""
    text = io.StringIO()
    table = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    return text.getvalue()
