"""Plans made of texts, and what they say in short."""

from __future__ import annotations

from typing import Any

from orchctl.plans import reading
from orchctl.plans.order import reason, waves
from orchctl.plans.reading import ReadOptions
from orchctl.plans.shape import Plan, TaskMark, marked


def read(text: str, **wishes: Any) -> Plan:
    """The plan that a text is."""
    return reading.read(text, ReadOptions(**wishes))


def in_waves(plan: Plan) -> list[list[str]]:
    """The ids of each wave of what is not done."""
    done_ids = {task.id for task in plan.tasks if task.is_done}
    return [[task.id for task in wave] for wave in waves(plan, done_ids, {})]


def whys(plan: Plan) -> dict[str, str]:
    """What keeps each task from being begun."""
    done_ids = {task.id for task in plan.tasks if task.is_done}
    return {task.id: why for task in plan.tasks if not task.is_done and (why := reason(task, done_ids, {}))}


def written(text: str, task_id: str, state: TaskMark) -> str:
    """The text once a task is marked."""
    return marked(reading.parsed(text, ReadOptions()), text, task_id, state)


def changed(text: str, *marks: tuple[str, TaskMark]) -> list[str]:
    """The lines that differ once these tasks are marked, one after the other."""
    after = text
    for task_id, state in marks:
        after = written(after, task_id, state)
    pairs = zip(text.split("\n"), after.split("\n"), strict=True)
    return [new for old, new in pairs if new != old]
