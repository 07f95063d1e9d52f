"""Reads plans from the text of a file: recognizes the format, reads it, and checks the whole."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from typing import NamedTuple

from orchctl.plans import boxes
from orchctl.plans.boxes import Page
from orchctl.plans.formats import checklist, numbered, speckit, taskmaster
from orchctl.plans.order import Counts
from orchctl.plans.shape import OPTIONAL, Node, Plan, PlanError
from orchd.dag import cycle_in

FORMATS = ("spec-kit", "kiro", "openspec", "task-master", "checklist")
_LONGEST = 200  # characters of an id: what the daemon takes
_MARKDOWN: dict[str, Callable[[Page, Counts], Plan]] = {
    "spec-kit": speckit.read,
    "kiro": numbered.kiro,
    "openspec": numbered.openspec,
    "checklist": checklist.read,
}


class ReadOptions(NamedTuple):
    """How to read a file. `current` is the tag that Task Master works in."""

    format: str | None = None
    tag: str | None = None
    with_optional: bool = False
    current: str | None = None


def is_task_master(text: str) -> bool:
    """Whether a text has the form of Task Master's file; text that is not JSON does not."""
    with suppress(ValueError, RecursionError):
        return taskmaster.is_plan(json.loads(text.removeprefix("\ufeff")))
    return False


def recognized(page: Page) -> str:
    """Return the format of a Markdown file, from its contents; `checklist` by default."""
    named = sum(map(speckit.is_task, page.boxes))
    counted = sum(numbered.number_of(box) is not None for box in page.boxes)
    if checklist.has_ids(page) or not (named or counted):
        return "checklist"
    if named >= counted:
        return "spec-kit"
    return "kiro" if numbered.is_kiro(page) else "openspec"


def parsed(text: str, wishes: ReadOptions) -> Plan:
    """Parse a text without checking the plan as a whole. Raises PlanError."""

    def counts(task: Node) -> bool:
        return not task.is_done and (wishes.with_optional or not task.is_optional)

    if wishes.format == "task-master" or (wishes.format is None and is_task_master(text)):
        return taskmaster.read(text, wishes.tag, wishes.current)
    page = boxes.read(text)
    name = wishes.format or recognized(page)
    if wishes.tag is not None:
        raise PlanError(0, f"is read as {name}, which has no tags: leave out --tag")
    plan = _MARKDOWN[name](page, counts)
    plan.notes += page.notes
    return plan


def read(text: str, wishes: ReadOptions = ReadOptions()) -> Plan:  # noqa: B008 - it cannot be changed
    """Read a text and check the plan as a whole. Raises PlanError for every defect."""
    plan = parsed(text, wishes)
    settle(plan, with_optional=wishes.with_optional)
    return plan


def settle(plan: Plan, *, with_optional: bool = False) -> None:
    """Check ids and dependencies, and replace dependencies on groups by their tasks. Raises PlanError."""
    if not plan.tasks:
        raise PlanError(0, "contains no tasks: write `- [ ] Title` lines, or JSON objects with id and title")
    _check_nodes(plan)
    if not with_optional:
        for task in plan.tasks:
            if task.is_optional and not task.is_done:
                task.held = task.held or OPTIONAL
    _expand(plan)
    tasks = {task.id: task for task in plan.tasks if not task.is_done}
    cycle = cycle_in({task_id: [other for other in task.after if other in tasks] for task_id, task in tasks.items()})
    if cycle:
        whys = [tasks[task_id].after[other] for task_id, other in pairwise(cycle)]
        steps = [
            f"{task_id} (after the next: {why})" if why else task_id for task_id, why in zip(cycle, whys, strict=False)
        ]
        raise PlanError(tasks[cycle[0]].line, f"dependency cycle: {' -> '.join([*steps, cycle[-1]])}")


def _expand(plan: Plan) -> None:
    """Replace dependencies on groups by their tasks, without optional tasks that are not started."""
    tasks = {task.id: task for task in plan.tasks}
    leaves: dict[str, list[str]] = {group.id: [] for group in plan.groups}
    for task in plan.tasks:
        for group in plan.ancestors(task):
            leaves[group].append(task.id)
    for task in plan.tasks:
        if not task.is_done:
            after: dict[str, str] = {}
            for node_id, why in task.after.items():
                if node_id not in tasks and node_id not in leaves:
                    raise PlanError(task.line, f"{task.id!r} depends on the unknown task {node_id!r}")
                needed = (leaf for leaf in leaves.get(node_id, [node_id]) if leaf != task.id)
                after |= {leaf: why for leaf in needed if tasks[leaf].held != OPTIONAL}
            task.after = after


def _check_nodes(plan: Plan) -> None:
    """Raise PlanError for an id that is too long or used twice, a task that depends on itself, and a null character.

    An id may be used twice where both nodes are done.
    """
    seen: dict[str, Node] = {}
    for node in sorted([*plan.tasks, *plan.groups], key=lambda node: node.line):
        if len(node.id) > _LONGEST:
            raise PlanError(node.line, f"an id has {len(node.id)} characters: at most {_LONGEST} are allowed")
        other = seen.setdefault(node.id, node)
        if other is not node and not (node.is_done and other.is_done):
            what = f"the id {node.id!r} is already used in {plan.unit} {other.line - (plan.unit == 'index')}"
            raise PlanError(node.line, f"{what}: give each task its own id")
    todo = [task for task in plan.tasks if not task.is_done]
    for task in todo:
        own = [node_id for node_id in task.after if node_id == task.id or node_id in plan.ancestors(task)]
        if own:
            what = "the task itself" if own[0] == task.id else "its own group"
            raise PlanError(task.line, f"{task.id!r} depends on {own[0]!r}, which is {what}: remove the dependency")
    for task in todo:  # possible as an escape in JSON
        if "\0" in f"{task.id}{task.title}{task.description}{task.acceptance}":
            raise PlanError(task.line, f"{task.id!r} contains a null character (U+0000): remove it")
