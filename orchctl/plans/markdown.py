"""What the readers of Markdown plans have in common: boxes become nodes, and nodes with others inside become groups."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from orchctl.plans.boxes import Box, flush
from orchctl.plans.phrases import files
from orchctl.plans.shape import IN_PROGRESS, STRUCK, Node, Plan, slug

_STRUCK = re.compile(r"~~(?!\s)(?:(?!~~)[^\n])+~~\W*")


class Names:
    """Ids for boxes that have none, made of their titles, each given once."""

    def __init__(self) -> None:
        self._given: set[str] = set()

    def of(self, title: str) -> str:
        """A new id."""
        name = slug(title).lower()
        numbered = (f"{name}-{count}" for count in range(2, len(self._given) + 3))
        found = next(one for one in (name, *numbered) if one not in self._given)
        self._given.add(found)
        return found


def words(box: Box) -> str:
    """All that a box says, without what its inner boxes say."""
    return "\n".join((box.text, *box.more, *box.own))


def strike(node: Node, *, is_struck: bool = False) -> None:
    """Hold a task whose whole title, or id, is struck out: `~~Title~~`."""
    if (is_struck or _STRUCK.fullmatch(node.title)) and not node.is_done:
        node.held = node.held or STRUCK


def node(box: Box, title: str, *, acceptance: Iterable[Box] = ()) -> Node:
    """A node without an id: the paragraph is its title, what stands below it its description."""
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
        acceptance=flush([line for one in acceptance for line in one.whole]),
        section=" / ".join(heading.title for heading in box.headings if heading.level > 1),
    )


def grouped(name: str, nodes: Sequence[Node]) -> Plan:
    """A plan whose groups are the nodes that are parents of others.

    A node with nothing but optional ones inside is the work itself. What a group comes after, its tasks come after; its
    labels are theirs, and they are told what it says.
    """
    parents = {one.parent for one in nodes if not one.is_optional}
    plan = Plan(name, [one for one in nodes if one.id not in parents], [one for one in nodes if one.id in parents])
    by_id = {group.id: group for group in plan.groups}
    outer = {one.id: one.parent for one in plan.tasks}
    for task in plan.tasks:
        while task.parent in outer:
            task.parent = outer[task.parent]
    for task in plan.tasks:
        for group in map(by_id.__getitem__, plan.ancestors(task)):
            task.comes_after({one: why for one, why in group.after.items() if one != task.id})
            task.is_optional = task.is_optional or group.is_optional
            task.labels = tuple(dict.fromkeys((*task.labels, *group.labels)))
            said = f"Part of {group.id}: {group.title}\n\n{group.description}".strip()
            task.description = f"{said}\n\n{task.description}".strip()
    _inherit(plan)
    return plan


def _inherit(plan: Plan) -> None:
    """What must be done in a group that is done is done, whatever its own mark says; that is noted.

    A mark or a status that holds a group holds its tasks, except that of a group in progress.
    """
    groups = {group.id: group for group in plan.groups}
    closed: dict[str, list[str]] = {}
    for task in plan.tasks:
        above = [groups[one] for one in plan.ancestors(task)]
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
    """What is written into a box: `X` for done where the file has more of these."""
    ticked = [box.mark for box in boxes if box.mark in "xX"]
    found = {"open": " ", "done": "X" if ticked.count("X") > ticked.count("x") else "x"}
    return {**found, "active": "-"} if with_active else found
