"""Sessions and the costs of agents as text for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from orchctl.render import text
from orchd.protocol import statuses

Row = Mapping[str, Any]
_ABOUT = {"estimated": "~", statuses.SIMULATED: "mock "}  # marks of dollars that no service has counted


def session_lines(sessions: Iterable[Row]) -> list[str]:
    """Return one line for each session."""
    rows = []
    for session in sessions:
        unfinished = f", {session['unfinished']} unfinished" if session["unfinished"] else ""
        rows.append(
            [
                session["id"],
                text.clean(session["name"] or ""),
                "closed" if session["closed_at"] else "open",
                f"{session['agents']} agent{'' if session['agents'] == 1 else 's'}{unfinished}",
                cost(session),
                text.clean(session["directory"]),
                f"stopped: budget reached: {session['reached']}" if session["reached"] else "",
            ]
        )
    return text.aligned(rows)


def cost(row: Row) -> str:
    """Return `12,345 tokens $0.42`, or nothing if no cost is known."""
    unknown = row.get("cost_unknown")
    parts = [
        f"{row['tokens']:,} tokens" if row["tokens"] else "",
        f"${row['cost_usd']:.2f}" if row["cost_usd"] else "",
        f"and {unknown} attempt{'s' * (unknown != 1)} of unknown cost" if unknown else "",
    ]
    return " ".join(part for part in parts if part).removeprefix("and ")


def budget_line(row: Row) -> str:
    """Return what a session or run has spent, and its budget."""
    tokens, dollars = row["max_tokens"], row["max_cost"]
    most = [f"{tokens:,} tokens" if tokens else "", f"${dollars:.2f}" if dollars else ""]
    allowed = " and ".join(part for part in most if part) or "unlimited"
    stopped = "; no new agents will start" if row["reached"] else ""
    return f"{row['id']}: spent {cost(row) or 'nothing'}; budget {allowed}{stopped}"


def usage_lines(agents: Sequence[Row]) -> Iterator[str]:
    """Yield a table of the expected tokens of each agent, its tokens and its cost."""
    rows = [["", "", "expected", "tokens", "input", "output", "cached", "cost"]]
    for agent in agents:
        counts = [agent["tokens_expected"]]
        counts += [agent[key] for key in ("tokens", "input_tokens", "output_tokens", "cache_read_tokens")]
        about = _ABOUT.get(agent["cost_source"], "")
        rows.append(
            [
                agent["id"],
                text.clean(agent["name"] or ""),
                *("-" if count is None else f"{count:,}" for count in counts),
                "-" if agent["cost_usd"] is None else f"{about}${agent['cost_usd']:.4f}",
            ]
        )
    yield from text.aligned(rows)
