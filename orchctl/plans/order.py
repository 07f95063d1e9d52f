"""Derives order from positions: consecutive stages, and the waves in which the tasks of a plan can start."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from orchctl.plans.shape import IN_PROGRESS, OPTIONAL, Node, Plan
from orchctl.render.text import listed

_HELD = {
    OPTIONAL: "optional: use --optional to start it",
    IN_PROGRESS: "in progress: set it back to open if no agent works on it",
}


class Stage(NamedTuple):
    """Tasks that may run at the same time, after earlier stages. `why` is the reason that later tasks get."""

    tasks: list[Node]
    why: str


Counts = Callable[[Node], bool]


def staged(stages: Iterable[Stage], counts: Counts) -> None:
    """Make each stage depend on the nearest earlier stage with a task that counts, which must still be done."""
    before: dict[str, str] = {}
    for stage in stages:
        for task in stage.tasks:
            task.comes_after(before)
        before = {task.id: stage.why for task in stage.tasks if counts(task)} or before


def batches(tasks: Sequence[Node], why: str) -> list[Stage]:
    """Return the stages of a section: parallel neighbours form a stage, every other task is its own."""
    stages: list[Stage] = []
    was_parallel = False
    for task in tasks:
        if task.is_parallel and was_parallel:
            stages[-1].tasks.append(task)
        else:
            stages.append(Stage([task], why))
        was_parallel = task.is_parallel
    return stages


def waves(plan: Plan, done: Collection[str], failed: Mapping[str, str]) -> list[list[Node]]:
    """Return the tasks that can start now, then the tasks that can start after these, and so on, without held tasks."""
    from graphlib import TopologicalSorter

    level: dict[str, int] = {}
    todo = [task for task in plan.tasks if task.id not in done and task.id not in failed]
    known = {task.id: task for task in todo}
    graph = {task.id: [before for before in task.after if before in known] for task in todo}
    for task in map(known.__getitem__, TopologicalSorter(graph).static_order()):
        missing = [task_id for task_id in task.after if task_id not in done]
        if not task.held and all(task_id in level for task_id in missing):
            level[task.id] = 1 + max((level[task_id] for task_id in missing), default=0)
    count = max(level.values(), default=0)
    return [[task for task in todo if level.get(task.id) == number] for number in range(1, count + 1)]


def shared(task_waves: Iterable[Sequence[Node]]) -> Iterator[str]:
    """Yield a note for each file that several tasks of a wave name, since they may change it at the same time."""
    for wave in task_waves:
        by_file: dict[str, list[str]] = {}
        for task in wave:
            for file in task.files:
                by_file.setdefault(file, []).append(task.id)
        for file, ids in by_file.items():
            if len(ids) > 1:
                yield f"{', '.join(ids)} name the same file and may run at the same time: {file}"


def reason(task: Node, done: Collection[str], failed: Mapping[str, str]) -> str:
    """Return why a task cannot start, as `after T001, T002 (in order); after T004, which failed`; empty if it can."""
    if task.held:
        return _HELD.get(task.held, f"{task.held}: set it back to open to start it")
    by_why: dict[str, list[str]] = {}
    for task_id, why in task.after.items():
        if task_id not in done:
            by_why.setdefault(why, []).append(f"{task_id}{failed.get(task_id, '')}")
    return "; ".join(f"after {listed(ids)}{f' ({why})' if why else ''}" for why, ids in by_why.items())
