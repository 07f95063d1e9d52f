"""The common shape of plans: tasks, groups of tasks, and where their marks stand."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

TaskMark = Literal["open", "active", "done"]  # what can be written back
IN_PROGRESS = "in progress"
OPTIONAL = "optional"
STRUCK = "struck out"
_FOREIGN = re.compile(r"[^\w.-]+")
_LONGEST = 80  # characters of a slug


def slug(text: str) -> str:
    """Return `text` as a file name: `fix-the-login` for `fix the login!`."""
    return _FOREIGN.sub("-", text).strip("-.")[:_LONGEST].rstrip("-.") or "task"


class PlanError(Exception):
    """A file cannot be read: `line`, from 1, and why. 0 is the file as a whole."""

    def __init__(self, line: int, what: str) -> None:
        super().__init__(what)
        self.line = line


class Spot(NamedTuple):
    """The place of a task's mark in the text, as offsets of characters; `lead` is written before a new mark."""

    start: int
    end: int
    lead: str = ""


@dataclass(slots=True)
class Node:
    """A task or a group. `held` is the reason why nothing is started although it is not done; "" otherwise.

    `after` has the ids of dependencies, each with the reason; "" where the file names the dependency itself.
    """

    id: str
    title: str
    line: int
    spot: Spot | None = None
    parent: str | None = None
    is_done: bool = False
    held: str = ""
    is_optional: bool = False
    is_parallel: bool = False
    after: dict[str, str] = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    description: str = ""
    acceptance: str = ""
    priority: int = 2
    skill: str | None = None
    section: str = ""  # the headings above it

    def comes_after(self, others: Mapping[str, str]) -> None:
        """Add dependencies. A reason that is known already stays."""
        for node_id, why in others.items():
            self.after.setdefault(node_id, why)


@dataclass(slots=True)
class Plan:
    """A plan as in its file. `marks` is the text to write for a state; states without text are not written."""

    format: str
    tasks: list[Node]
    groups: list[Node] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    marks: Mapping[str, str] = field(default_factory=dict)
    tag: str | None = None
    unit: str = "line"  # what the numbers in `line` count, for messages

    def leaves(self, group: str) -> Iterator[Node]:
        """Yield the tasks of a group, at any depth."""
        return (task for task in self.tasks if group in self.ancestors(task))

    def ancestors(self, node: Node) -> list[str]:
        """Return the groups around a node, innermost first."""
        parents = {group.id: group.parent for group in self.groups}
        ancestors: list[str] = []
        above = node.parent
        while above is not None and above not in ancestors:
            ancestors.append(above)
            above = parents.get(above)
        return ancestors


def marked(plan: Plan, text: str, task_id: str, state: TaskMark) -> str:
    """Return `text`, which `plan` was read from, with the task `task_id` in `state` and its groups updated.

    A group is done when all its required tasks are done, and active when any task is active or done. Everything else
    stays as it is. The text is unchanged when the task is missing, or has the state already.
    """
    task = next((task for task in plan.tasks if task.id == task_id), None)
    if task is None or task.spot is None or task.is_done or state not in plan.marks:
        return text
    # a finished task stays finished, whatever its mark says meanwhile
    if state != "done" and not _may_become(task, state):
        return text
    states = {other.id: _state(other) for other in plan.tasks} | {task_id: state}
    edits = {task.spot: plan.marks[state]}
    groups = {group.id: group for group in plan.groups}
    for group in map(groups.__getitem__, plan.ancestors(task)):
        leaves = list(plan.leaves(group.id))
        required = [leaf for leaf in leaves if not leaf.is_optional] or leaves
        is_begun = any(states[leaf.id] in {"active", "done"} for leaf in leaves)
        is_done = all(states[leaf.id] == "done" for leaf in required)
        wanted = "done" if is_done else "active" if is_begun else "open"
        if group.spot is not None and _may_become(group, wanted) and wanted in plan.marks:
            edits[group.spot] = plan.marks[wanted]
    for spot in sorted(edits, reverse=True):
        text = f"{text[: spot.start]}{spot.lead}{edits[spot]}{text[spot.end :]}"
    return text


def _state(node: Node) -> str:
    if node.is_done:
        return "done"
    return "active" if node.held == IN_PROGRESS else node.held or "open"


def _may_become(node: Node, state: str) -> bool:
    """Whether a node may change to a state: held and done nodes stay, and only active nodes can be open again."""
    return (_state(node), state) in {("open", "active"), ("open", "done"), ("active", "done"), ("active", "open")}
