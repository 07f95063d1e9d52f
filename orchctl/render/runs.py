"""Runs as text for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from orchctl.render import text
from orchd.protocol import statuses

Run = Mapping[str, Any]


def counted(run: Run) -> str:
    """Return `3 of 5 ended: 2 completed, 1 failed, 2 running`."""
    counts: Mapping[str, int] = {status: count for status, count in run["counts"].items() if count}
    ended = sum(count for status, count in counts.items() if status in statuses.FINISHED)
    each = ", ".join(f"{count} {status}" for status, count in counts.items())
    return f"{ended} of {sum(counts.values())} ended: {each}"


def took(run: Run, now: float) -> str:
    """Return how long the run took, or has been running at `now` (Unix time)."""
    end = text.unix(run["ended_at"]) if run["ended_at"] else now
    return text.span(end - text.unix(run["began_at"]))


def runs_lines(runs: Sequence[Run], now: float) -> list[str]:
    """Return one line for each run."""
    return text.aligned([_row(run, now) for run in runs])


def _row(run: Run, now: float) -> list[str]:
    remark = "  ".join(part for part in (text.clean(run["task_id"] or ""), text.clean(run["reason"] or "")) if part)
    return [run["id"], text.named(run), run["status"], took(run, now), counted(run), remark]


def run_lines(answer: Mapping[str, Any], now: float, written: Mapping[str, str]) -> Iterator[str]:
    """Yield the lines of a run and its members; `written` has the results that exist, by the paths of the members."""
    run = answer["run"]
    yield "  ".join(part for part in _row(run, now) if part)
    if run["parent"]:
        yield f"started by {run['parent']}"
    if run["results"]:
        yield f"results in {text.clean(run['results'])}"
    yield ""
    agents = {agent["id"]: agent for agent in answer["agents"]}
    rows = []
    for member in run["members"]:
        seconds = text.lifetime(agents[member["id"]], now)
        rows.append(
            [
                text.clean(member["path"]),
                member["id"],
                member["status"],
                "" if seconds is None else text.span(seconds),
                "" if member["required"] else "optional",
                text.clean(f"after {', '.join(member['after'])}" if member["after"] else ""),
                text.clean(written.get(member["path"], "")),
                text.clean(member["reason"] or ""),
            ]
        )
    yield from text.aligned(text.filled(rows))


def summary_lines(answer: Mapping[str, Any]) -> Iterator[str]:
    """Yield the outcome of each member, then of the run."""
    yield from text.ended_lines([{**agent, "name": agent["member"] or agent["name"]} for agent in answer["agents"]])
    yield outcome(answer["run"])


def outcome(run: Run) -> str:
    """Return `run-001 completed; 3 of 3 ended: 3 completed`, with the reason if the run has one."""
    reason = f": {text.clean(run['reason'])}" if run["reason"] else ""
    return f"{run['id']} {run['status']}{reason}; {counted(run)}"
