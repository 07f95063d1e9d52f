"""The tasks of a directory with their states, as the commands about tasks need them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from orchctl.client import Client
from orchctl.errors import NoDaemonError, RefusedError
from orchctl.tasks import checks, task_file
from orchctl.tasks.problems import TaskProblem, TasksError
from orchctl.tasks.states import RECENT, TaskState, newest_agents, states
from orchctl.tasks.task_file import DIRECTORY, TaskFile, TaskFiles
from orchd.instance.home import HomeError
from orchd.protocol.errors import WireError

_PATIENCE = 5.0  # seconds to wait for a daemon whose answer is optional


@dataclass(frozen=True, slots=True)
class Place:
    """A directory of tasks, and its name in messages."""

    path: Path
    shown: str

    def file(self, task: TaskFile) -> str:
        """Return the name of a task's file in messages."""
        return f"{self.shown}/{task.path.name}"

    def result(self, task: TaskFile) -> str:
        """Return the name of a task's result in messages."""
        return f"{self.shown}/{task_file.RESULTS}/{task.result(self.path / task_file.RESULTS).name}"


def place(word: str | None) -> Place:
    """Return the directory that a command-line argument names, by default `docs/tasks`."""
    name = (word or DIRECTORY).rstrip("/") or "/"
    return Place((Path.cwd() / name).resolve(), name)


def load(where: Place) -> tuple[TaskFiles, list[TaskProblem]]:
    """Return the tasks that could be read, and every problem: of each file, then of all tasks together."""
    try:
        read = task_file.read_all(where.path, where.shown)
    except TasksError as error:
        return TaskFiles(where.path), list(error.problems)
    together = [] if read.problems else checks.problems(read.tasks, where.file)
    return read, [*read.problems, *together]


def opened(where: Place, *, ignored: Sequence[str] = ()) -> list[TaskFile]:
    """Return the tasks in dependency order. Raises RefusedError for problems with other codes than `ignored`."""
    read, problems = load(where)
    refusals = [problem for problem in problems if problem.code not in ignored]
    if refusals:
        raise refused(refusals, where)
    return checks.ordered(read.tasks)


def refused(problems: Sequence[TaskProblem], where: Place) -> RefusedError:
    """Return the error for a command that was given invalid tasks."""
    more = f" ({len(problems) - 1} more: see `orchctl tasks check {where.shown}`)" if len(problems) > 1 else ""
    details = {"problems": [asdict(problem) for problem in problems]}
    code = "bad-tasks" if more else problems[0].code
    return RefusedError(f"{problems[0]}{more}", code=code, details=details)


def standing(tasks: Sequence[TaskFile], where: Place, client: Client) -> dict[str, TaskState]:
    """Return the state of each of `tasks`, which are ordered, from their files and the agents of a daemon."""
    results = where.path / task_file.RESULTS
    return states(tasks, results, newest_agents(tasks, results, history(client)))


def standing_anyway(tasks: Sequence[TaskFile], where: Place) -> dict[str, TaskState]:
    """Return the state of each of `tasks`, with the agents of a daemon only if it runs already."""
    try:
        with Client(starts=False) as client:
            return standing(tasks, where, client)
    except (NoDaemonError, HomeError, WireError):
        return states(tasks, where.path / task_file.RESULTS, {})


def history(client: Client) -> Iterator[list[dict[str, Any]]]:
    """Yield the agents of the history in pages, newest first."""
    before, seen = None, 0
    while seen < RECENT:
        answer = client.call("status", {"all": True, "before": before, "usage": False}, patience=_PATIENCE)
        yield answer["agents"][::-1]  # a page of the daemon has its newest last
        seen += len(answer["agents"])
        if (before := answer["more"]) is None:
            return
