"""Shared by the readers of Markdown plans: boxes become nodes, and nodes that hold others become groups."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from orchctl.plans.boxes import Box, flush
from orchctl.plans.phrases import files
from orchctl.plans.shape import IN_PROGRESS, STRUCK, Node, Plan, slug

_STRUCK = re.compile(r"~~(?!\s)(?:(?!~~)[^\n])+~~\W*")


class Names:
    """Generates unique ids for boxes without an id, from their titles."""

    def __init__(self) -> None:
        self._given: set[str] = set()

    def of(self, title: str) -> str:
        """Return a new id."""
        first = slug(title).lower()
        numbered = (f"{first}-{count}" for count in range(2, len(self._given) + 3))
        name = next(name for name in (first, *numbered) if name not in self._given)
        self._given.add(name)
        return name


def words(box: Box) -> str:
    """Return the text of a box without its inner boxes."""
    return "\n".join((box.text, *box.more, *box.own))


def strike(node: Node, *, is_struck: bool = False) -> None:
    """Hold a task whose whole title or id is struck out: `~~Title~~`."""
    if (is_struck or _STRUCK.fullmatch(node.title)) and not node.is_done:
        node.held = node.held or STRUCK


def node(box: Box, title: str, *, acceptance: Iterable[Box] = ()) -> Node:
    """Return a node without an id: the paragraph is its title, the text below it its description."""
    return Node(
        id="",
        title=" ".join(" ".join((title, *box.more)).split()),
        line=box.line,
        spot=box.spot,
        is_done=box.is_done,
        held=box.held,
        is_optional=box.is_starred,
        files=files(words(box)),
        description=flush(box.own),
        acceptance=flush([line for criterion in acceptance for line in criterion.whole]),
        section=" / ".join(heading.title for heading in box.headings if heading.level > 1),
    )


def grouped(name: str, nodes: Sequence[Node]) -> Plan:
    """Return a plan whose groups are the nodes that are parents of others.

    A node with only optional nodes inside is a task itself. The tasks of a group inherit its dependencies and labels,
    and their description includes its text.
    """
    parents = {node.parent for node in nodes if not node.is_optional}
    plan = Plan(
        name, [node for node in nodes if node.id not in parents], [node for node in nodes if node.id in parents]
    )
    by_id = {group.id: group for group in plan.groups}
    outer = {node.id: node.parent for node in plan.tasks}
    for task in plan.tasks:
        while task.parent in outer:
            task.parent = outer[task.parent]
    for task in plan.tasks:
        for group in map(by_id.__getitem__, plan.ancestors(task)):
            task.comes_after({node: why for node, why in group.after.items() if node != task.id})
            task.is_optional = task.is_optional or group.is_optional
            task.labels = tuple(dict.fromkeys((*task.labels, *group.labels)))
            introduction = f"Part of {group.id}: {group.title}\n\n{group.description}".strip()
            task.description = f"{introduction}\n\n{task.description}".strip()
    _inherit(plan)
    return plan


def _inherit(plan: Plan) -> None:
    """Mark the required tasks of a done group as done, whatever their own mark, and note that.

    A mark or a status that holds a group also holds its tasks, except that of a group in progress.
    """
    groups = {group.id: group for group in plan.groups}
    closed: dict[str, list[str]] = {}
    for task in plan.tasks:
        above = [groups[group_id] for group_id in plan.ancestors(task)]
        done = next((group for group in above if group.is_done), None)
        aside = next((group for group in above if group.held not in {"", IN_PROGRESS}), None)
        if task.is_done:
            continue
        if done is not None and (done.is_optional or not task.is_optional):
            task.is_done = True
            closed.setdefault(done.id, []).append(task.id)
        elif aside is not None:
            is_status = plan.format == "task-master" or aside.held == STRUCK
            task.held = task.held or f"its group {aside.id} is {'' if is_status else 'held: '}{aside.held}"
    for group, ids in closed.items():
        plan.notes.append(f"line {groups[group].line}: {group} is done; taken as done with it: {', '.join(ids)}")


def marks(boxes: Sequence[Box], *, with_active: bool = False) -> dict[str, str]:
    """Return the mark to write for each state: `X` for done where the file has more of these."""
    ticked = [box.mark for box in boxes if box.mark in "xX"]
    texts = {"open": " ", "done": "X" if ticked.count("X") > ticked.count("x") else "x"}
    return {**texts, "active": "-"} if with_active else texts
