"""All results as one document: a heading for each task, its result below, and a word where there is none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchctl.tasks.outline import lowered
from orchctl.tasks.states import OUTDATED, UNNEEDED, State
from orchctl.tasks.task_file import Task
from orchd.instance.system import open_file

_BELOW = 3  # the level of the highest headings of a result; the document's title has 1, a task's heading 2


@dataclass(frozen=True, slots=True)
class Merged:
    """The document, and what is to be said about it besides: what lacks, and what is only old."""

    text: str
    lacking: Mapping[str, str]  # by the names of tasks
    outdated: Mapping[str, str]


def merged(tasks: Sequence[Task], states: Mapping[str, State], results: Path) -> Merged:
    """The results of `tasks` in their order."""
    lacking = {task.name: said for task in tasks if (said := _lack(task, states[task.name], results))}
    outdated = {task.name: states[task.name].why for task in tasks if states[task.name].word == OUTDATED}
    parts = ["# Results"]
    for task in tasks:
        parts += _parts(task, states[task.name], lacking.get(task.name), results)
    return Merged("\n\n".join(parts) + "\n", lacking, outdated)


def _lack(task: Task, state: State, results: Path) -> str:
    """Why there is nothing, or nothing whole, to read; empty when there is."""
    if state.is_done or state.word in (OUTDATED, UNNEEDED):
        return ""
    partly = ", what follows may be part of it" if _text(task, results) else ""
    return f"{state.said()}{partly}"


def _parts(task: Task, state: State, lack: str | None, results: Path) -> Iterator[str]:
    yield f"## {task.name}"
    if lack is not None:
        yield f"> **There is no result.** {lack}"
    if text := _text(task, results):
        yield lowered(text, _BELOW)
    elif state.word == UNNEEDED:
        yield f"> Not needed: {state.why}."
    elif lack is None and state.agent is not None:
        yield f"> The command completed without a result; `orchctl logs {state.agent['id']}` shows its output."


def _text(task: Task, results: Path) -> str:
    try:
        return open_file.read_as_text(task.result(results)).strip("\n")
    except FileNotFoundError:
        return ""
