"""The `tasks.md` of spec-kit: phases as headings, `- [ ] T012 [P] [US1] Title in src/a.py (depends on T010)`.

Sections follow each other in the order of the file. Within a section a task comes after the tasks before it, unless it
and its neighbours have `[P]`.
"""

from __future__ import annotations

import re
from itertools import groupby

from orchctl.plans import markdown
from orchctl.plans.boxes import Box, Page
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
    rf"\b(?P<task>{T_ID})\W+(?:depends\s+on|requires|(?:is\s+)?blocked\s+by)\s+(?P<on>{T_ID}[^.;\n(]*)", re.IGNORECASE
)


def is_task(box: Box) -> bool:
    """Whether a box has the id of a task."""
    return _ID.match(box.text) is not None


def read(page: Page, counts: Counts) -> Plan:
    """Return the plan of a page. `counts` decides which tasks must still be done.

    `[P] tasks = ...`, a note in every plan of spec-kit, explains the label and is not a task.
    """
    boxes = [box for box in page.boxes if is_task(box) or (box.parent is None and box.mark != "P")]
    names = markdown.Names()
    nodes: dict[int, Node] = {}
    for box in boxes:
        match = _ID.match(box.text)
        title = box.text[match.end() :] if match else box.text
        node = markdown.node(box, title, acceptance=[inner for inner in box.boxes if not is_task(inner)])
        labels: list[str] = []
        while label := _LABEL.match(node.title):
            labels.append(label[1].strip())
            node.title = node.title[label.end() :]
        node.title = node.title.lstrip(":-\u2013\u2014 ") or box.text
        node.id = match["id"] if match else names.of(node.title)
        node.is_parallel = "P" in labels
        node.labels = tuple(label for label in labels if label != "P")
        markdown.strike(node, is_struck=bool(match and match["struck"]))
        node.after = dict.fromkeys(_SAYS.of(markdown.words(box)), "")
        nodes[id(box)] = node
    for box in boxes:
        nodes[id(box)].parent = nodes[id(box.parent)].id if box.parent and id(box.parent) in nodes else None
    plan = markdown.grouped("spec-kit", list(nodes.values()))
    places = {id(nodes[id(box)]): box.headings for box in boxes}
    stages: list[Stage] = []
    for headings, section in groupby(plan.tasks, lambda task: places[id(task)]):
        *earlier, last = batches(list(section), "in order")
        # the tasks of the next section get the title of this one as their reason
        stages += [*earlier, Stage(last.tasks, headings[-1].title if headings else "in order")]
    staged(stages, counts)
    by_id = {node.id: node for node in plan.tasks}
    for _, text in page.prose:
        for sentence in _PROSE.finditer(text):
            if sentence["task"] in by_id:
                by_id[sentence["task"]].comes_after(dict.fromkeys(_SAYS.of(f"depends on {sentence['on']}"), ""))
    plan.marks = markdown.marks(page.boxes)
    return plan
