"""Task lists in Markdown.

    - [ ] Sign in with e-mail (id: login) (labels: backend, api) (priority: 1)
      The indented text below it is its description; boxes there are its acceptance criteria.
    - [ ] The login page (after: login) (skill: skyfom-frontend-developer)
    - [x] A done task can be a dependency of other tasks.

Everything else in the file is left alone.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from typing import Any

from orchctl.plans import markdown
from orchctl.plans.boxes import Box, Page, flush, outermost
from orchctl.plans.order import Counts
from orchctl.plans.shape import Node, Plan, PlanError, slug

_NOTE = re.compile(r"\s*\((\w+):\s*([^()]*)\)")
_NEAR = 0.75  # similarity to a known key above which a key is a typing error


def _words(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


_KEYS: dict[str, Callable[[str], Any]] = {"id": str, "after": _words, "labels": _words, "skill": str, "priority": int}


def has_ids(page: Page) -> bool:
    """Whether any task sets an id with `(id: ...)`."""
    return any(key.lower() == "id" for box in page.boxes for key, _ in _NOTE.findall(box.text))


def read(page: Page, counts: Counts) -> Plan:  # noqa: ARG001 - the order of a list says nothing
    """Return the plan of a page."""
    nodes = [_node(box) for box in outermost(page.boxes)]
    return Plan("checklist", nodes, marks=markdown.marks(page.boxes))


def _node(box: Box) -> Node:
    """Return the task of a box, with the keys in its notes. Raises PlanError for a note that is not valid."""
    known: dict[str, Any] = {}
    title = box.text
    for note in _NOTE.finditer(box.text):
        key, value = note[1].lower(), note[2].strip()
        if key not in _KEYS:
            near = difflib.get_close_matches(key, _KEYS, 1, _NEAR)
            if near:
                raise PlanError(box.line, f"unknown key `({key}: ...)`; did you mean `({near[0]}: ...)`?")
            continue
        try:
            known[key] = _KEYS[key](value)
        except ValueError:
            raise PlanError(box.line, f"({key}: {value}) is not a valid integer") from None
        title = title.replace(note[0], "", 1)
    title = title.strip()
    if not title or known.get("id") == "":
        raise PlanError(box.line, "a task needs a title, and `id:` needs a value")
    node = markdown.node(box, title, acceptance=box.boxes)
    node.title, node.description = title, flush([*box.more, *box.own])
    markdown.strike(node)
    node.id = known.get("id", slug(title).lower())
    node.after = dict.fromkeys(known.get("after", ()), "")
    node.labels = known.get("labels", ())
    node.priority, node.skill = known.get("priority", 2), known.get("skill")
    return node
