"""What a shell may put where an agent, a run or a composition is to be named: those that there are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from orchctl.commands.spec import Completion
from orchctl.errors import ClientError
from orchd.instance.home import HomeError
from orchd.protocol.errors import WireError

_CONDITIONS = (
    ("completed", "start after it has completed"),
    ("failed", "start after it has failed, timed out or was lost"),
    ("any", "start after it has ended, however"),
)


def agents(incomplete: str) -> list[tuple[str, str]]:
    """Ids that begin so; none when no daemon runs, and none is started for it."""
    found = _asked("status", {"usage": False, "most": 500}).get("agents", ())
    return _offered(incomplete, ((agent["id"], f"{agent['name']}, {agent['status']}") for agent in found))


def dependencies(incomplete: str) -> list[tuple[str, str]]:
    """Ids that begin so; behind an id and a colon, the conditions."""
    head, colon, _ = incomplete.rpartition(":")
    if not colon:
        return agents(incomplete)
    return _offered(incomplete, ((f"{head}:{condition}", what) for condition, what in _CONDITIONS))


def runs(incomplete: str) -> list[tuple[str, str]]:
    """Ids of runs that begin so; none when no daemon runs."""
    found = _asked("runs", {}).get("runs", ())
    return _offered(incomplete, ((run["id"], f"{run['name']}, {run['status']}") for run in found))


def compositions(incomplete: str) -> list[tuple[str, str]]:
    """Files and folders that begin so, and compositions that can be named without a path."""
    from orchctl.skills import find

    here = Path.cwd()
    paths = (
        (f"{incomplete.rpartition('/')[0]}/" if "/" in incomplete else "") + one.name + ("/" if one.is_dir() else "")
        for one in sorted((here / incomplete.rpartition("/")[0]).glob("*"))
        if one.is_dir() or one.suffix == ".json"
    )
    names = ((name, "composition") for name in dict.fromkeys(find.names(here)))
    return _offered(incomplete, (*names, *((path, "") for path in paths)))


def skills_here(incomplete: str) -> list[tuple[str, str]]:
    """Names of skills that are found from here."""
    from orchctl.skills import find

    found = dict.fromkeys(folder.name for folder in find.all_from(Path.cwd()))
    return _offered(incomplete, ((name, "skill") for name in found))


def tasks(incomplete: str) -> list[tuple[str, str]]:
    """Names of the tasks in `docs/tasks`, with their goals; those whose files are wrong are left out."""
    from orchctl.tasks.problems import TasksError
    from orchctl.tasks.task_file import DIRECTORY, read_all

    try:
        found = read_all(Path.cwd() / DIRECTORY, DIRECTORY).tasks
    except TasksError:
        return []
    return _offered(incomplete, ((task.name, task.goal) for task in found))


OFFERS: dict[Completion, Callable[[str], list[tuple[str, str]]]] = {
    Completion.AGENTS: agents,
    Completion.DEPENDENCIES: dependencies,
    Completion.RUNS: runs,
    Completion.COMPOSITIONS: compositions,
    Completion.SKILLS: skills_here,
    Completion.TASKS: tasks,
}


def _offered(incomplete: str, known: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(word, what) for word, what in known if word.startswith(incomplete)]


def _asked(op: str, args: Mapping[str, object]) -> dict[str, Any]:
    from orchctl.client import Client

    try:
        with Client(starts=False) as client:
            return client.call(op, args)
    except (ClientError, WireError, HomeError, OSError):  # a shell has nowhere to show an error
        return {}
