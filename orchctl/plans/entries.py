"""Reads tasks in our own JSON: an array, or an object a line."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated

from orchctl.plans.shape import Node, Plan
from orchctl.spawn.json_lines import JsonLine, JsonLines
from orchd.protocol import schema

_Text = Annotated[str, schema.Constraint(str.strip, "a string that is not empty")]


@dataclass(frozen=True, slots=True)
class PlanEntry:
    """An object of a JSON file."""

    id: _Text
    title: _Text
    description: str = ""
    acceptance: str = ""
    labels: tuple[str, ...] = ()
    priority: int = 2
    after: tuple[str, ...] = ()
    skill: str | None = None
    done: bool = False


def read(listing: JsonLines, text: str) -> Plan:
    """Return the plan of a file, to which nothing can be written back. Raises UsageError."""
    unit = "index" if text.lstrip().startswith("[") else "line"
    nodes = listing.converted(listing.entries(text), lambda line: _node(listing, line, unit))
    return Plan("json", nodes, unit=unit)


def _node(listing: JsonLines, line: JsonLine, unit: str) -> Node:
    """Return the task of an entry. Raises ListingError with all its problems."""
    try:
        entry = schema.parse(PlanEntry, line.value)
        json.dumps(line.value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise listing.wrong(line.place, f"{error.object[error.start]!r} is a lone surrogate") from None
    except schema.ShapeError:
        problems = (violation.message for violation in schema.violations(PlanEntry, line.value))
        raise listing.wrong(line.place, *problems) from None
    same = {name: getattr(entry, name) for name in PlanEntry.__dataclass_fields__ if name not in {"done", "after"}}
    number = int(line.place.rsplit(" ", 1)[1])
    after = dict.fromkeys(entry.after, "")
    return Node(**same, line=number + (unit == "index"), is_done=entry.done, after=after)
