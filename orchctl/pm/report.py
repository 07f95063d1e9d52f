"""The report of a pm: a row for each developer, their sums, and both as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from orchctl.render import text as render
from orchctl.worktrees import commits
from orchd.instance import runner_report

Row = dict[str, Any]


def row_of(entry: Mapping[str, Any], agent: Mapping[str, Any], result: Path) -> Row:
    """Return the report row of a developer. `task`, the state in its list, is filled in later."""
    return {
        "id": entry["id"],
        "title": entry["item"]["title"],
        "agent": agent["id"],
        "status": agent["status"],
        "reason": agent["reason"],
        "seconds": render.lifetime(agent, 0.0),
        "tokens": agent["tokens"],
        "cost_usd": agent["cost_usd"],
        "cost_source": agent.get("cost_source"),
        "branch": agent["branch"],
        "notes": list(agent.get("notes") or ()),
        "result": str(result) if result.is_file() else None,
        "queued_at": agent["queued_at"],
        "ended_at": agent["ended_at"],
        "task": None,
    }


def judged(agent: Mapping[str, Any], *, is_pretending: bool) -> dict[str, Any]:
    """Return the agent as its task counts it: a completed agent that could do nothing has failed its task.

    A developer without a runner is a whole team, whose commits no runner reports, so git is read. The mock runner
    commits nothing and does no real work.
    """
    notes = {note["code"]: note["text"] for note in agent.get("notes") or ()}
    reason = "; ".join(
        notes[code] for code in (runner_report.NOTHING_PERMITTED, runner_report.NOTHING_COMMITTED) if code in notes
    )
    if not notes and not is_pretending and agent["status"] == "completed" and agent.get("worktree"):
        work = commits.work_in(Path(agent["worktree"]))
        reason = "nothing committed" if work is not None and not work.commits else ""
    if not is_pretending:
        (agent,) = commits.noted([agent])
        # no dependent can begin with commits elsewhere that are in doubt
        if not reason and any(note["code"] == commits.ELSEWHERE for note in agent.get("notes") or ()):
            head = commits.elsewhere_in(Path(agent["worktree"]))
            reason = "" if head is None or head.doubt is None else f"{head.text}, and {head.doubt}"
    is_idle = agent["status"] == "completed" and bool(reason) and not is_pretending
    return {**agent, "status": "failed", "reason": reason} if is_idle else dict(agent)


def lost_row(entry: Mapping[str, Any], result: Path) -> Row:
    """Return the row of a developer that the daemon no longer knows."""
    agent = dict.fromkeys(("reason", "tokens", "cost_usd", "branch", "queued_at", "started_at", "ended_at"))
    why = "unknown to the daemon"
    return row_of(entry, {**agent, "id": entry["agent"], "status": "lost", "reason": why}, result)


def report(rows: Sequence[Row], **known: Any) -> dict[str, Any]:
    """Return the rows with their sums. `known` is added as it is."""
    one_by_one = sum(row["seconds"] or 0.0 for row in rows)
    # seconds with at least one developer: a pm that was interrupted did not work in between
    spans = sorted(
        (render.unix(row["queued_at"]), render.unix(row["ended_at"]))
        for row in rows
        if row["queued_at"] and row["ended_at"]
    )
    wall, until = 0.0, 0.0
    for begin, end in spans:
        wall += max(0.0, end - max(begin, until))
        until = max(until, end)
    real = [row for row in rows if not render.is_simulated(row)]
    costs = [row["cost_usd"] for row in real if row["cost_usd"] is not None]
    return {
        **known,
        "developers": list(rows),
        "counts": dict(Counter(row["status"] for row in rows)),
        "one_by_one_seconds": round(one_by_one, 3),
        "wall_seconds": round(wall, 3),
        "speed_up": round(one_by_one / wall, 2) if wall else None,
        "tokens": sum(row["tokens"] or 0 for row in real),
        "cost_usd": round(sum(costs), 6) if costs else None,
    }


def lines(summary: Mapping[str, Any]) -> Iterator[str]:
    """Yield the report as text: a line for each developer, then the sum."""
    table = []
    for row in summary["developers"]:
        mock = "mock " if render.is_simulated(row) else ""
        reason = "" if row["status"] == "completed" else row["reason"] or ""
        notes = [note["text"] for note in row.get("notes", ()) if note["text"] not in reason]
        cells = [
            row["id"],
            row["agent"],
            row["status"],
            "" if row["seconds"] is None else render.span(row["seconds"]),
            f"{row['tokens']:,} {mock}tokens" if row["tokens"] else "",
            f"{mock}${row['cost_usd']:.2f}" if row["cost_usd"] is not None else "",
            row["result"] or "",
            "; ".join(filter(None, (reason, *notes))),
        ]
        table.append([render.clean(cell) for cell in cells])
    yield from render.aligned(render.filled(table)) if table else []
    for item_id, why in summary["left"].items():
        yield render.clean_line(f"{item_id}  not started: {why}")
    for why in summary["troubles"]:
        yield render.clean_line(why)
    if not table:
        yield f"{summary['name']}: nothing is ready" if summary["name"] else "nothing is ready"
        return
    count = sum(summary["counts"].values())
    each = ", ".join(f"{number} {status}" for status, number in summary["counts"].items())
    parts = [f"{summary['name']}: {count} {'developer' if count == 1 else 'developers'}, {each}"]
    if summary["speed_up"]:
        alone, together = render.span(summary["one_by_one_seconds"]), render.span(summary["wall_seconds"])
        parts.append(f"{together} wall time ({alone} sequential, {summary['speed_up']:.1f}x speed-up)")
    if summary["tokens"]:
        parts.append(f"{summary['tokens']:,} tokens")
    if summary["cost_usd"] is not None:
        parts.append(f"${summary['cost_usd']:.2f}")
    yield "; ".join(parts)
