"""Order from positions: stages that follow each other, and the waves in which a plan is worked off."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from orchctl.plans.shape import IN_PROGRESS, OPTIONAL, Node, Plan
from orchctl.render.text import listed

_HELD = {
    OPTIONAL: "optional: --optional starts it",
    IN_PROGRESS: "in progress: somebody works on it; set it back when nobody does",
}


class Stage(NamedTuple):
    """Tasks that may be done at the same time, after those of the stages before. `why` is what later tasks are told."""

    tasks: list[Node]
    why: str


Counts = Callable[[Node], bool]


def staged(stages: Iterable[Stage], counts: Counts) -> None:
    """Let each stage come after the nearest earlier one in which a task counts: one that must still be done."""
    before: dict[str, str] = {}
    for stage in stages:
        for task in stage.tasks:
            task.comes_after(before)
        before = {task.id: stage.why for task in stage.tasks if counts(task)} or before


def batches(tasks: Sequence[Node], why: str) -> list[Stage]:
    """Stages within one section: neighbours that may run in parallel are one stage, every other task is its own."""
    found: list[Stage] = []
    was_parallel = False
    for task in tasks:
        if task.is_parallel and was_parallel:
            found[-1].tasks.append(task)
        else:
            found.append(Stage([task], why))
        was_parallel = task.is_parallel
    return found


def waves(plan: Plan, done: Collection[str], failed: Mapping[str, str]) -> list[list[Node]]:
    """What can be begun now, what once that is done, and so on; what waits for something that is held is in none."""
    level: dict[str, int] = {}
    todo = [task for task in plan.tasks if task.id not in done and task.id not in failed]
    for task in _sorted(todo):
        missing = [one for one in task.after if one not in done]
        if not task.held and all(one in level for one in missing):
            level[task.id] = 1 + max((level[one] for one in missing), default=0)
    count = max(level.values(), default=0)
    return [[task for task in todo if level.get(task.id) == number] for number in range(1, count + 1)]


def shared(found: Iterable[Sequence[Node]]) -> Iterator[str]:
    """A note for each file that several tasks of one wave name: they may be at work on it at once."""
    for wave in found:
        by_file: dict[str, list[str]] = {}
        for task in wave:
            for file in task.files:
                by_file.setdefault(file, []).append(task.id)
        for file, ids in by_file.items():
            if len(ids) > 1:
                yield f"{', '.join(ids)} name the same file and may run at once: {file}"


def _sorted(tasks: Sequence[Node]) -> list[Node]:
    """Each behind what it comes after, otherwise as they came."""
    from graphlib import TopologicalSorter

    known = {task.id: task for task in tasks}
    graph = {task.id: [one for one in task.after if one in known] for task in tasks}
    return [known[one] for one in TopologicalSorter(graph).static_order()]


def reason(task: Node, done: Collection[str], failed: Mapping[str, str]) -> str:
    """`after T001, T002 (in order); after T004, which failed`: what keeps it from being begun. "" when nothing does."""
    if task.held:
        return _HELD.get(task.held, f"{task.held}: set it back to have it started")
    by_why: dict[str, list[str]] = {}
    for one, why in task.after.items():
        if one not in done:
            by_why.setdefault(why, []).append(f"{one}{failed.get(one, '')}")
    parts = []
    for why, ids in by_why.items():
        parts.append(f"after {listed(ids)}{f' ({why})' if why else ''}")
    return "; ".join(parts)
