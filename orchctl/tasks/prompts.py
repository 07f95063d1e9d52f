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

- Change only what this goal needs. Other agents work on other tasks at the same time: do not change their files.
- If something outside of this goal blocks you, do not fix it; report it in your result.

## Done when

- The goal is reached, and you have verified it: report the command.

## Result

Write it to {result}; the full path at the end of the prompt takes precedence.
State what you did, what other agents need to know to continue, and what is left open.
"""
