"""The `tasks.md` of spec-kit: phases as headings, `- [ ] T012 [P] [US1] Title in src/a.py (depends on T010)`.

Sections follow each other as they stand in the file. Within a section a task comes after what stands before it, unless
it and its neighbours have `[P]`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import groupby

from orchctl.plans import markdown
from orchctl.plans.boxes import Box, Heading, Page
from orchctl.plans.order import Counts, Stage, batches, staged
from orchctl.plans.phrases import T_ID, Dependencies
from orchctl.plans.shape import Node, Plan

_ID = re.compile(
    rf"(?P<struck>~~)?(?:\*\*|`|\[)?(?P<id>{T_ID})(?:\*\*|`|\])?(?:~~)?[:.)]?(?:\*\*)?(?:\s+[-\u2013\u2014:])?(?:\s+|$)"
)
_LABEL = re.compile(r"\[([^\][]+)\](?![(\[])\s*")
_SAYS = Dependencies(T_ID, strict=False)
# `T012 depends on T010` in a text between the tasks
_PROSE = re.compile(
    rf"\b(?P<one>{T_ID})\W+(?:depends\s+on|requires|(?:is\s+)?blocked\s+by)\s+(?P<on>{T_ID}[^.;\n(]*)", re.IGNORECASE
)


def is_task(box: Box) -> bool:
    """Whether a box has the id of a task."""
    return _ID.match(box.text) is not None


def read(page: Page, counts: Counts) -> Plan:
    """The plan that a page holds. `counts` says which tasks must still be done.

    `[P] tasks = ...`, which every plan of spec-kit has among its notes, explains the label and is no task.
    """
    boxes = [box for box in page.boxes if is_task(box) or (box.parent is None and box.mark != "P")]
    names = markdown.Names()
    nodes = {id(box): _node(box, names) for box in boxes}
    for box in boxes:
        nodes[id(box)].parent = nodes[id(box.parent)].id if box.parent and id(box.parent) in nodes else None
    plan = markdown.grouped("spec-kit", list(nodes.values()))
    staged(_stages(plan.tasks, {id(nodes[key]): box.headings for key, box in zip(nodes, boxes, strict=True)}), counts)
    by_id = {node.id: node for node in plan.tasks}
    for _, text in page.prose:
        for said in _PROSE.finditer(text):
            if said["one"] in by_id:
                by_id[said["one"]].comes_after(dict.fromkeys(_SAYS.of(f"depends on {said['on']}"), ""))
    plan.marks = markdown.marks(page.boxes)
    return plan


def _node(box: Box, names: markdown.Names) -> Node:
    found = _ID.match(box.text)
    title = box.text[found.end() :] if found else box.text
    node = markdown.node(box, title, acceptance=[one for one in box.boxes if not is_task(one)])
    labels: list[str] = []
    while label := _LABEL.match(node.title):
        labels.append(label[1].strip())
        node.title = node.title[label.end() :]
    node.title = node.title.lstrip(":-\u2013\u2014 ") or box.text
    node.id = found["id"] if found else names.of(node.title)
    node.is_parallel = "P" in labels
    node.labels = tuple(label for label in labels if label != "P")
    markdown.strike(node, is_struck=bool(found and found["struck"]))
    node.after = dict.fromkeys(_SAYS.of(markdown.words(box)), "")
    return node


def _stages(tasks: list[Node], places: Mapping[int, tuple[Heading, ...]]) -> Iterator[Stage]:
    """The batches of each section. Tasks of the next section are told its title."""
    for headings, group in groupby(tasks, lambda task: places[id(task)]):
        found = batches(list(group), "in order")
        yield from found[:-1]
        yield Stage(found[-1].tasks, headings[-1].title if headings else "in order")
