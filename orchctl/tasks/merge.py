"""Merges all results into a document: a heading for each task, followed by its result or a note."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchctl.tasks.outline import lowered
from orchctl.tasks.states import OUTDATED, UNNEEDED, TaskState
from orchctl.tasks.task_file import TaskFile
from orchd.instance.system import open_file

_BELOW = 3  # the level of the highest headings of a result; the document's title has 1, a task's heading 2


@dataclass(frozen=True, slots=True)
class Merged:
    """The document, with the tasks that lack a result and the tasks whose result is outdated."""

    text: str
    lacking: Mapping[str, str]  # by the names of tasks
    outdated: Mapping[str, str]


def merged(tasks: Sequence[TaskFile], states: Mapping[str, TaskState], results: Path) -> Merged:
    """Merge the results of `tasks` in their order."""
    lacking: dict[str, str] = {}
    parts = ["# Results"]
    for task in tasks:
        state = states[task.name]
        try:
            text = open_file.read_as_text(task.result(results)).strip("\n")
        except FileNotFoundError:
            text = ""
        parts.append(f"## {task.name}")
        if not state.is_done and state.word not in (OUTDATED, UNNEEDED):
            partly = ", the following text may be part of it" if text else ""
            lacking[task.name] = f"{state.summary()}{partly}"
            parts.append(f"> **There is no result.** {lacking[task.name]}")
        if text:
            parts.append(lowered(text, _BELOW))
        elif state.word == UNNEEDED:
            parts.append(f"> Not needed: {state.why}.")
        elif task.name not in lacking and state.agent is not None:
            command = f"`orchctl logs {state.agent['id']}`"
            parts.append(f"> The command completed without a result; {command} shows its output.")
    outdated = {task.name: states[task.name].why for task in tasks if states[task.name].word == OUTDATED}
    return Merged("\n\n".join(parts) + "\n", lacking, outdated)
