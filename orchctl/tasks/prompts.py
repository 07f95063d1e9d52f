"""The prompt of a task's agent, and the text of a new task file."""

from __future__ import annotations

from collections.abc import Sequence

from orchctl.composition.sections import joined, to_read, to_write
from orchctl.tasks.task_file import TaskFile


def prompt(task: TaskFile, *, skill_text: str, inputs: Sequence[str], result: str) -> str:
    """Return the prompt: the skill, the goal, the task's own text, results to read, and where its result goes."""
    goal = "" if task.goal in task.body else f"# {task.name}\n\n{task.goal}"
    parts = [
        ("", skill_text.strip()),
        ("", goal),
        ("", task.body),
        ("Read first", to_read(inputs)),
        ("Where your result goes", to_write(result)),
    ]
    return joined(parts)


def skeleton(name: str, goal: str, result: str) -> str:
    """Return the text of a new task file."""
    return f"""\
# {name}

{goal}

## Boundaries

- Change only what this goal needs. Others work on other tasks at the same time: leave their files alone.
- If something outside of it is in the way, do not fix it; report it in your result.

## Done when

- The goal is reached, and you have seen it work: say with which command.

## Result

It goes to {result}; its full path is told at the end, and that one counts.
It says what you did, what others must know to continue from it, and what is left open.
"""
