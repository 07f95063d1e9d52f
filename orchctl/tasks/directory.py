"""The tasks of a directory, checked, with what became of each; what the commands about tasks have in common."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from orchctl.client import Client
from orchctl.errors import NoDaemonError, RefusedError
from orchctl.tasks import checks, task_file
from orchctl.tasks.problems import Problem, TasksError
from orchctl.tasks.states import RECENT, State, newest_agents, states
from orchctl.tasks.task_file import DIRECTORY, Task, TaskFiles
from orchd.instance.home import HomeError
from orchd.protocol.errors import WireError

_PATIENCE = 5.0  # seconds for a daemon to say what it knows, where one can do without


@dataclass(frozen=True, slots=True)
class Place:
    """A directory of tasks: where it is, and how messages call it."""

    path: Path
    shown: str

    def file(self, task: Task) -> str:
        """How messages call the file of a task."""
        return f"{self.shown}/{task.path.name}"

    def result(self, task: Task) -> str:
        """How messages call the result of a task."""
        return f"{self.shown}/{task_file.RESULTS}/{task.result(self.path / task_file.RESULTS).name}"


def place(word: str | None) -> Place:
    """The directory that a word on the command line means; `docs/tasks` without one."""
    shown = (word or DIRECTORY).rstrip("/") or "/"
    return Place((Path.cwd() / shown).resolve(), shown)


def found(where: Place) -> tuple[TaskFiles, list[Problem]]:
    """The tasks that could be read, and everything that is wrong, file by file and then with all of them together."""
    try:
        read = task_file.read_all(where.path, where.shown)
    except TasksError as error:
        return TaskFiles(where.path), list(error.problems)
    together = [] if read.problems else checks.problems(read.tasks, where.file)
    return read, [*read.problems, *together]


def opened(where: Place, *, ignored: Sequence[str] = ()) -> list[Task]:
    """The tasks, each behind those it comes after. Raises RefusedError for what is wrong but the codes `ignored`."""
    read, problems = found(where)
    told = [problem for problem in problems if problem.code not in ignored]
    if told:
        raise refused(told, where)
    return checks.ordered(read.tasks)


def refused(problems: Sequence[Problem], where: Place) -> RefusedError:
    """What to tell somebody who wanted to use tasks that are wrong."""
    more = f" ({len(problems) - 1} more: see `orchctl tasks check {where.shown}`)" if len(problems) > 1 else ""
    details = {"problems": [asdict(problem) for problem in problems]}
    return RefusedError(f"{problems[0]}{more}", code=_code(problems), details=details)


def _code(problems: Sequence[Problem]) -> str:
    return problems[0].code if len(problems) == 1 else "bad-tasks"


def standing(tasks: Sequence[Task], where: Place, client: Client) -> dict[str, State]:
    """The state of each of `tasks`, which are ordered, with what a daemon knows of their agents."""
    results = where.path / task_file.RESULTS
    return states(tasks, results, newest_agents(tasks, results, history(client)))


def standing_anyway(tasks: Sequence[Task], where: Place) -> dict[str, State]:
    """The state of each of `tasks`. A daemon is asked when one runs; none is started."""
    try:
        with Client(starts=False) as client:
            return standing(tasks, where, client)
    except (NoDaemonError, HomeError, WireError):
        return states(tasks, where.path / task_file.RESULTS, {})


def history(client: Client) -> Iterator[list[dict[str, Any]]]:
    """The agents, newest first, a page at a time."""
    before, seen = None, 0
    while seen < RECENT:
        answer = client.call("status", {"all": True, "before": before, "usage": False}, patience=_PATIENCE)
        yield answer["agents"][::-1]  # a page of the daemon has its newest last
        seen += len(answer["agents"])
        if (before := answer["more"]) is None:
            return
