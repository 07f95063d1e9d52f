"""Sessions, and what agents cost, for people: values in, text out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from orchctl.render import text
from orchd.protocol import statuses

Row = Mapping[str, Any]


def session_lines(sessions: Iterable[Row]) -> list[str]:
    """One line for each session."""
    return text.aligned([_row(one) for one in sessions])


def _row(one: Row) -> list[str]:
    going = f", {one['unfinished']} not over" if one["unfinished"] else ""
    return [
        one["id"],
        text.clean(one["name"] or ""),
        "closed" if one["closed_at"] else "open",
        f"{one['agents']} agent{'' if one['agents'] == 1 else 's'}{going}",
        cost(one),
        text.clean(one["directory"]),
        f"stopped: has spent {one['reached']}" if one["reached"] else "",
    ]


_ABOUT = {"estimated": "~", statuses.SIMULATED: "mock "}  # what stands before dollars that no service has counted


def cost(one: Row) -> str:
    """`12,345 tokens $0.42`, nothing for what has cost nothing that is known."""
    unknown = one.get("cost_unknown")
    parts = [
        f"{one['tokens']:,} tokens" if one["tokens"] else "",
        f"${one['cost_usd']:.2f}" if one["cost_usd"] else "",
        f"and {unknown} attempt{'s' * (unknown != 1)} of unknown cost" if unknown else "",
    ]
    return " ".join(part for part in parts if part).removeprefix("and ")


def budget_line(one: Row) -> str:
    """What a session or run has spent, and how much it may."""
    tokens, dollars = one["max_tokens"], one["max_cost"]
    most = [f"{tokens:,} tokens" if tokens else "", f"${dollars:.2f}" if dollars else ""]
    allowed = " and ".join(part for part in most if part) or "as much as it takes"
    stopped = "; nothing more of it is started" if one["reached"] else ""
    return f"{one['id']} has spent {cost(one) or 'nothing'}, and may spend {allowed}{stopped}"


def usage_lines(rows: Sequence[Row]) -> Iterator[str]:
    """A table of what was expected and what it was."""
    head = ["", "", "expected", "tokens", "of them in", "out", "cached", "cost"]
    yield from text.aligned([head, *(_usage(row) for row in rows)])


def _usage(row: Row) -> list[str]:
    known = [row["tokens_expected"], row["tokens"], row["input_tokens"], row["output_tokens"], row["cache_read_tokens"]]
    about = _ABOUT.get(row["cost_source"], "")
    return [
        row["id"],
        text.clean(row["name"] or ""),
        *("-" if number is None else f"{number:,}" for number in known),
        "-" if row["cost_usd"] is None else f"{about}${row['cost_usd']:.4f}",
    ]
