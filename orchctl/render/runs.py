"""Runs for people, made from what the daemon answers: values in, text out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from orchctl.render import text
from orchd.protocol import statuses

Run = Mapping[str, Any]


def counted(run: Run) -> str:
    """`3 of 5 ended: 2 completed, 1 failed, 2 running`."""
    counts: Mapping[str, int] = {status: count for status, count in run["counts"].items() if count}
    ended = sum(count for status, count in counts.items() if status in statuses.FINISHED)
    each = ", ".join(f"{count} {status}" for status, count in counts.items())
    return f"{ended} of {sum(counts.values())} ended: {each}"


def took(run: Run, now: float) -> str:
    """How long it ran, or has been running at `now` (Unix time)."""
    end = text.unix(run["ended_at"]) if run["ended_at"] else now
    return text.span(end - text.unix(run["began_at"]))


def runs_lines(runs: Sequence[Run], now: float) -> list[str]:
    """One line for each run."""
    return text.aligned([_row(run, now) for run in runs])


def _row(run: Run, now: float) -> list[str]:
    said = "  ".join(part for part in (text.clean(run["task_id"] or ""), text.clean(run["reason"] or "")) if part)
    return [run["id"], text.named(run), run["status"], took(run, now), counted(run), said]


def run_lines(answer: Mapping[str, Any], now: float, written: Mapping[str, str]) -> Iterator[str]:
    """One run with its members; `written` has the results that are there, by the paths of their members."""
    run = answer["run"]
    yield "  ".join(part for part in _row(run, now) if part)
    if run["parent"]:
        yield f"started by {run['parent']}"
    if run["results"]:
        yield f"results in {text.clean(run['results'])}"
    yield ""
    agents = {agent["id"]: agent for agent in answer["agents"]}
    rows = []
    for one in run["members"]:
        seconds = text.lifetime(agents[one["id"]], now)
        rows.append(_member(one, seconds, written.get(one["path"], "")))
    yield from text.aligned(text.filled(rows))


def _member(one: Mapping[str, Any], seconds: float | None, result: str) -> list[str]:
    return [
        text.clean(one["path"]),
        one["id"],
        one["status"],
        "" if seconds is None else text.span(seconds),
        "" if one["required"] else "not required",
        text.clean(f"after {', '.join(one['after'])}" if one["after"] else ""),
        text.clean(result),
        text.clean(one["reason"] or ""),
    ]


def summary_lines(answer: Mapping[str, Any]) -> Iterator[str]:
    """What became of a run: each member, then the whole."""
    yield from text.ended_lines([{**agent, "name": agent["member"] or agent["name"]} for agent in answer["agents"]])
    yield outcome(answer["run"])


def outcome(run: Run) -> str:
    """`run-001 completed; 3 of 3 ended: 3 completed`, with the reason of one that did not."""
    reason = f": {text.clean(run['reason'])}" if run["reason"] else ""
    return f"{run['id']} {run['status']}{reason}; {counted(run)}"
