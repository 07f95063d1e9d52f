"""Checks of all tasks together: names, dependencies, and whether parallel tasks write to the same files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from difflib import get_close_matches
from itertools import combinations, islice, product
from pathlib import Path

from orchctl.tasks.overlap import overlaps
from orchctl.tasks.problems import TaskProblem
from orchctl.tasks.task_file import RESULTS, TaskFile
from orchd.dag import cycle_in, topological

FileOf = Callable[[TaskFile], str]  # the name of a task's file in messages

_MOST = 10_000  # pairs that write to the same file: of 1,000 tasks there could be half a million


def problems(tasks: Sequence[TaskFile], file_of: FileOf) -> list[TaskProblem]:
    """Return every problem that keeps `tasks` from being run; collisions only when their graph has no problem."""
    errors: list[TaskProblem] = []
    by_name: dict[str, TaskFile] = {}
    for task in tasks:
        first = by_name.setdefault(task.name, task)
        if first is not task:
            what = f"the name {task.name!r} is already used in {file_of(first)}"
            errors.append(_problem("duplicate-name", file_of, task, "name", what, "give each task its own name"))
    errors += _unknown(tasks, file_of)
    # cycles that share no task: of two cycles that cross, the second is reported once the first is mended
    left = {task.name: task for task in tasks}
    while cycle := cycle_in(
        {name: [before for before in task.after if before in left and before != name] for name, task in left.items()}
    ):
        what = f"dependency cycle: {' -> '.join(cycle)}"
        errors.append(_problem("cycle", file_of, left[cycle[0]], "after", what, "remove one of these `after`"))
        left = {name: task for name, task in left.items() if name not in cycle}
    return errors or [*islice(_colliding(tasks, file_of), _MOST)]


def ordered(tasks: Sequence[TaskFile]) -> list[TaskFile]:
    """Sort tasks so that each follows all its dependencies, otherwise in their order. The graph must be valid."""
    by_name = {task.name: task for task in tasks}
    depth: dict[str, int] = {}
    for name in topological({task.name: task.after for task in tasks}):
        depth[name] = 1 + max((depth[before] for before in by_name[name].after), default=0)
    return sorted(tasks, key=lambda task: depth[task.name])


def _unknown(tasks: Sequence[TaskFile], file_of: FileOf) -> Iterator[TaskProblem]:
    """Yield dependencies on unknown tasks, and of tasks on themselves."""
    names = {task.name: None for task in tasks}
    for task in tasks:
        for name in task.after:
            if name == task.name:
                yield _problem("self-dependency", file_of, task, "after", f"{name!r} depends on itself", "remove it")
            elif name not in names:
                nearest = get_close_matches(name, names, 1)
                way_out = (
                    f"did you mean {nearest[0]!r}?" if nearest else f"create it: orchctl tasks new {name} --goal TEXT"
                )
                yield _problem("unknown-dependency", file_of, task, "after", f"unknown task {name!r}", way_out)


def _colliding(tasks: Sequence[TaskFile], file_of: FileOf) -> Iterator[TaskProblem]:
    """Yield pairs of tasks that can run at the same time and would write to the same file."""
    before: dict[str, set[str]] = {}  # direct and indirect dependencies
    for task in ordered(tasks):
        before[task.name] = set(task.after).union(*(before[name] for name in task.after))
    here = Path.cwd()
    for first, second in combinations(tasks, 2):
        if first.name in before[second.name] or second.name in before[first.name]:
            continue
        pairs = product((*first.files, _result(first)), (*second.files, _result(second)))
        pair = next((pair for pair in pairs if overlaps(*pair, here)), None)
        if pair is not None:
            same = pair[0] if pair[0] == pair[1] else f"{pair[0]} and {pair[1]}"
            what = f"{first.name!r} and {second.name!r} can run at the same time and both write to {same}"
            way_out = f"add a dependency, e.g. `after: [{first.name}]`, or use different files"
            yield _problem("not-independent", file_of, second, "files", what, way_out)


def _result(task: TaskFile) -> str:
    return str(task.results(task.path.parent / RESULTS)[0])


def _problem(code: str, file_of: FileOf, task: TaskFile, key: str, what: str, way_out: str) -> TaskProblem:
    return TaskProblem(code, file_of(task), task.lines.get(key, 0), what, way_out)
