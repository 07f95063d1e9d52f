"""What is wrong with tasks taken together: names, what comes after what, and whether those at once keep apart."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from difflib import get_close_matches
from itertools import combinations, islice
from pathlib import Path

from orchctl.tasks.overlap import overlaps
from orchctl.tasks.problems import Problem
from orchctl.tasks.task_file import RESULTS, Task
from orchd.dag import cycle_in, topological

Shown = Callable[[Task], str]  # how messages call a task's file

_MOST = 10_000  # pairs that write to the same file: of 1,000 tasks there could be half a million


def problems(tasks: Sequence[Task], shown: Shown) -> list[Problem]:
    """Everything that keeps `tasks` from being run, by their graph first."""
    found = [*_doubled(tasks, shown), *_unknown(tasks, shown), *_cycles(tasks, shown)]
    return found or [*islice(_colliding(tasks, shown), _MOST)]


def ordered(tasks: Sequence[Task]) -> list[Task]:
    """Each behind all that it comes after, otherwise in the order of the files. The graph must be right."""
    by_name = {task.name: task for task in tasks}
    depth: dict[str, int] = {}
    for name in topological({task.name: task.after for task in tasks}):
        depth[name] = 1 + max((depth[one] for one in by_name[name].after), default=0)
    return sorted(tasks, key=lambda task: depth[task.name])


def _doubled(tasks: Iterable[Task], shown: Shown) -> Iterator[Problem]:
    seen: dict[str, Task] = {}
    for task in tasks:
        first = seen.setdefault(task.name, task)
        if first is not task:
            what = f"the name {task.name!r} is that of {shown(first)} too"
            yield _problem("duplicate-name", shown, task, "name", what, "give each task a name of its own")


def _unknown(tasks: Sequence[Task], shown: Shown) -> Iterator[Problem]:
    names = {task.name: None for task in tasks}
    for task in tasks:
        for one in task.after:
            if one == task.name:
                yield _problem("self-dependency", shown, task, "after", f"{one!r} comes after itself", "take it away")
            elif one not in names:
                nearest = get_close_matches(one, names, 1)
                way_out = (
                    f"did you mean {nearest[0]!r}?" if nearest else f"make it: orchctl tasks new {one} --goal TEXT"
                )
                yield _problem("unknown-dependency", shown, task, "after", f"{one!r} is no task here", way_out)


def _cycles(tasks: Sequence[Task], shown: Shown) -> Iterator[Problem]:
    """Cycles that share no task: where two cross, the other is told when the first is gone."""
    left = {task.name: task for task in tasks}
    while cycle := cycle_in({name: _others(task, left) for name, task in left.items()}):
        task = left[cycle[0]]
        what = f"a cycle: {' -> '.join(cycle)}"
        yield _problem("cycle", shown, task, "after", what, "take one of these `after` away")
        left = {name: task for name, task in left.items() if name not in cycle}


def _others(task: Task, among: Iterable[str]) -> list[str]:
    return [one for one in task.after if one in among and one != task.name]


def _colliding(tasks: Sequence[Task], shown: Shown) -> Iterator[Problem]:
    """Pairs of tasks that can run at once and would write to the same file."""
    before = _befores(tasks)
    here = Path.cwd()
    for one, other in combinations(tasks, 2):
        if one.name in before[other.name] or other.name in before[one.name]:
            continue
        pair = next((pair for pair in _writes(one, other) if overlaps(*pair, here)), None)
        if pair is not None:
            same = pair[0] if pair[0] == pair[1] else f"{pair[0]} and {pair[1]}"
            what = f"{one.name!r} and {other.name!r} can run at once and both write to {same}"
            way_out = f"let one come after the other, as in `after: [{one.name}]`, or give them other files"
            yield _problem("not-independent", shown, other, "files", what, way_out)


def _writes(one: Task, other: Task) -> Iterator[tuple[str, str]]:
    """What they write to, in pairs; of two results none is the same, as no two names are."""
    for mine in (*one.files, _result(one)):
        for theirs in (*other.files, _result(other)):
            yield mine, theirs


def _result(task: Task) -> str:
    return str(task.results(task.path.parent / RESULTS)[0])


def _befores(tasks: Sequence[Task]) -> dict[str, set[str]]:
    """All that each task comes after, near and far."""
    before: dict[str, set[str]] = {}
    for task in ordered(tasks):
        before[task.name] = set(task.after).union(*(before[one] for one in task.after))
    return before


def _problem(code: str, shown: Shown, task: Task, key: str, what: str, way_out: str) -> Problem:
    return Problem(code, shown(task), task.lines.get(key, 0), what, way_out)
