"""Reads the `tasks.json` of Task Master: tasks with subtasks and statuses, in a single list or a list per tag."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from orchctl.plans.formats import json_entries
from orchctl.plans.formats.json_entries import JsonValue
from orchctl.plans.markdown import grouped
from orchctl.plans.phrases import files
from orchctl.plans.shape import IN_PROGRESS, Node, Plan, PlanError, Spot

_DONE = frozenset({"done", "completed", "cancelled", "canceled"})
_OPEN = frozenset({"pending", "todo"})
_HELD = {"in-progress": IN_PROGRESS, "review": "in review", "deferred": "deferred", "blocked": "blocked"}
_PRIORITY = {"critical": 0, "high": 1, "medium": 2, "low": 3}
_FOLLOWING = re.compile(r'\s*[{,](\s*)"')  # the white space before the next key
_MARKS = {"open": '"pending"', "active": '"in-progress"', "done": '"done"'}


def is_plan(value: object) -> bool:
    """Whether a JSON value has the form of such a file."""
    return isinstance(value, dict) and any(map(_has_tasks, (value, *value.values())))


def _has_tasks(value: object) -> bool:
    return isinstance(value, dict) and isinstance(value.get("tasks"), list)


def read(text: str, tag: str | None, current: str | None) -> Plan:
    """Return the tasks of `tag`, by default of `current`, `master`, or the only tag. Raises PlanError."""
    whole = json_entries.read(text)
    if not is_plan(whole.plain()):
        raise PlanError(1, 'is not a Task Master file: it must be like {"master": {"tasks": [...]}}')
    if "tasks" in whole.data and isinstance(whole.data["tasks"].data, list):
        if tag is not None:
            raise PlanError(0, f"has no tags: leave out --tag {tag}")
        chosen, tasks = None, whole.data["tasks"]
    else:
        tags = {name: value.data["tasks"] for name, value in whole.data.items() if _has_tasks(value.plain())}
        wanted = tag or (current if current in tags else "master")
        if wanted not in tags and tag is None and len(tags) == 1:
            wanted = next(iter(tags))
        if wanted not in tags:
            raise PlanError(0, f"has no tag {wanted!r}: choose one with --tag: {', '.join(sorted(tags))}")
        chosen, tasks = wanted, tags[wanted]
    reader = _TaskReader(text)
    for task in tasks.data:
        reader.take(task, None)
    plan = grouped("task-master", reader.resolved())
    plan.marks, plan.tag = _MARKS, chosen
    return plan


class _TaskReader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._nodes: list[Node] = []
        self._dependencies: dict[int, list[str]] = {}  # of each node, by its index, as written

    def take(self, value: JsonValue, parent: Node | None) -> None:
        """Read a task and its subtasks. Raises PlanError."""
        line = json_entries.line_of(self._text, value)
        task = value.plain()
        if not isinstance(task, dict) or not isinstance(task.get("id"), int | str) or not str(task["id"]).strip():
            raise PlanError(line, "a task must be an object with an id")
        node = self._node(value, task, line, parent)
        self._dependencies[len(self._nodes)] = [str(dependency) for dependency in _listed(task, "dependencies", line)]
        self._nodes.append(node)
        _listed(task, "subtasks", line)
        for inner in value.data["subtasks"].data or () if "subtasks" in value.data else ():
            self.take(inner, node)

    def _node(self, value: JsonValue, task: Mapping[str, Any], line: int, parent: Node | None) -> Node:
        """Return the node of a task, whose id begins with that of its parent."""
        name = str(task["id"]).strip()
        if parent is not None and not name.startswith(f"{parent.id}."):
            name = f"{parent.id}.{name}"
        texts = {key: _text(task, key, line) for key in ("title", "description", "details", "testStrategy")}
        status = (_text(task, "status", line) or "pending").lower()
        if status not in _DONE | _OPEN | set(_HELD):
            known = ", ".join(sorted((_DONE | _OPEN | set(_HELD)) - {"todo", "canceled"}))
            raise PlanError(line, f"unknown status {status!r} of {name}; known statuses: {known}")
        priority = _text(task, "priority", line).lower()
        if "status" in value.data:
            spot = Spot(value.data["status"].start, value.data["status"].end)
        else:  # it is to be inserted behind the id
            end = value.data["id"].end
            following = _FOLLOWING.match(self._text, end) or _FOLLOWING.match(self._text, value.start)
            spot = Spot(end, end, f',{following[1] if following else " "}"status": ')
        return Node(
            id=name,
            title=texts["title"] or texts["description"].split("\n")[0] or f"Task {name}",
            line=line,
            spot=spot,
            parent=parent.id if parent else None,
            is_done=status in _DONE,
            held=_HELD.get(status, ""),
            description="\n\n".join(text for text in (texts["description"], texts["details"]) if text),
            acceptance=texts["testStrategy"],
            priority=parent.priority if parent and not priority else _PRIORITY.get(priority, 2),
            files=files("\n".join(texts.values())),
        )

    def resolved(self) -> list[Node]:
        """Return the nodes with resolved dependencies: a number in a subtask is its neighbour, or else a whole task."""
        ids = {node.id for node in self._nodes}
        for index, node in enumerate(self._nodes):
            for dependency in self._dependencies[index]:
                neighbour = f"{node.parent}.{dependency}"
                node.after[neighbour if node.parent and neighbour in ids else dependency] = ""
        return self._nodes


def _listed(task: Mapping[str, Any], key: str, line: int) -> list[Any]:
    value = task.get(key) or []
    if not isinstance(value, list):
        raise PlanError(line, f"{key} must be a list, not {json.dumps(value)[:60]}")
    return value


def _text(task: Mapping[str, Any], key: str, line: int) -> str:
    """Return a string without lone surrogates."""
    value = task.get(key)
    if value is not None and not isinstance(value, str):
        raise PlanError(line, f"{key} must be a string, not {json.dumps(value)[:60]}")
    return (value or "").strip().encode(errors="replace").decode()
