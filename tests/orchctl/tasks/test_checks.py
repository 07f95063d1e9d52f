"""Checks of several tasks together."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchctl.tasks import checks
from orchctl.tasks.checks import ordered
from orchctl.tasks.task_file import TaskFile


def tasks(**after: str) -> list[TaskFile]:
    """Return a task for each name, after the named dependencies."""
    return [TaskFile(Path(f"/t/subtask-{name}.md"), name, after=tuple(text.split())) for name, text in after.items()]


def writing(name: str, *files: str, after: tuple[str, ...] = ()) -> TaskFile:
    """Return a task that names the files it writes to."""
    return TaskFile(Path(f"/t/subtask-{name}.md"), name, after=after, files=files, lines={"files": 5, "after": 4})


def problem_texts(*tasks: TaskFile) -> list[str]:
    """Return the text of every problem."""
    return [str(problem) for problem in checks.problems(tasks, lambda task: task.path.name)]


def test_valid_tasks_have_no_problems() -> None:
    assert problem_texts(*tasks(a="", b="a", c="a", d="b c")) == []


def test_an_unknown_dependency_is_reported_with_the_nearest_name() -> None:
    assert problem_texts(*tasks(schema="", api="schemas", ui="something")) == [
        "subtask-api.md: unknown task 'schemas'; did you mean 'schema'?",
        "subtask-ui.md: unknown task 'something'; create it: orchctl tasks new something --goal TEXT",
    ]


def test_each_cycle_is_reported_once_with_its_path() -> None:
    assert problem_texts(*tasks(a="b", b="c", c="a", x="y", y="x", z="z")) == [
        "subtask-z.md: 'z' depends on itself; remove it",
        "subtask-a.md: dependency cycle: a -> b -> c -> a; remove one of these `after`",
        "subtask-x.md: dependency cycle: x -> y -> x; remove one of these `after`",
    ]


def test_a_duplicate_task_name_is_reported() -> None:
    twice = [*tasks(a=""), TaskFile(Path("/t/subtask-b.md"), "a", lines={"name": 2})]
    assert problem_texts(*twice) == [
        "subtask-b.md line 2: the name 'a' is already used in subtask-a.md; give each task its own name"
    ]


def test_parallel_tasks_that_write_to_the_same_file_are_reported() -> None:
    assert problem_texts(writing("a", "src/api"), writing("b", "src/ui", "src/api/*.py"), writing("c", "docs")) == [
        "subtask-b.md line 5: 'a' and 'b' can run at the same time and both write to src/api and src/api/*.py; "
        "add a dependency, e.g. `after: [a]`, or use different files"
    ]


def test_sequential_tasks_may_write_to_the_same_file() -> None:
    near = [writing("a", "src"), writing("b", after=("a",)), writing("c", "src", after=("b",))]
    assert problem_texts(*near) == []
    assert len(problem_texts(*near, writing("d", "src"))) == 2


def test_the_result_of_another_task_counts_as_a_written_file() -> None:
    assert len(problem_texts(writing("a"), writing("b", "/t/results/a.md"))) == 1
    assert problem_texts(writing("a"), writing("b", "/t/results/c.md")) == []


@pytest.mark.parametrize(
    ("after", "names"),
    [
        ({"c": "", "b": "", "a": ""}, "cba"),
        ({"a": "c", "b": "", "c": ""}, "bca"),
        ({"a": "b", "b": "c", "c": ""}, "cba"),
    ],
)
def test_tasks_are_ordered_by_dependencies_and_then_by_file(after: dict[str, str], names: str) -> None:
    assert "".join(task.name for task in ordered(tasks(**after))) == names
