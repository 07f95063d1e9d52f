"""Plans parsed from texts, and their content in short."""

from __future__ import annotations

from typing import Any

from orchctl.plans import reading
from orchctl.plans.order import reason, waves
from orchctl.plans.reading import ReadOptions
from orchctl.plans.shape import Plan, TaskMark, marked


def read(text: str, **options: Any) -> Plan:
    """Parse the plan in a text."""
    return reading.read(text, ReadOptions(**options))


def wave_ids(plan: Plan) -> list[list[str]]:
    """Return the ids in each wave of open tasks."""
    done_ids = {task.id for task in plan.tasks if task.is_done}
    return [[task.id for task in wave] for wave in waves(plan, done_ids, {})]


def reasons(plan: Plan) -> dict[str, str]:
    """Return the reason why each open task cannot start."""
    done_ids = {task.id for task in plan.tasks if task.is_done}
    return {task.id: text for task in plan.tasks if not task.is_done and (text := reason(task, done_ids, {}))}


def marked_text(text: str, task_id: str, state: TaskMark) -> str:
    """Return the text with a task marked."""
    return marked(reading.parsed(text, ReadOptions()), text, task_id, state)


def changed_lines(text: str, *marks: tuple[str, TaskMark]) -> list[str]:
    """Return the lines that differ once these tasks are marked, one after the other."""
    after = text
    for task_id, state in marks:
        after = marked_text(after, task_id, state)
    pairs = zip(text.split("\n"), after.split("\n"), strict=True)
    return [new for old, new in pairs if new != old]
