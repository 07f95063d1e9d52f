"""Shell completion of ids of agents and runs, and of names of compositions, skills and tasks."""

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
    ("any", "start after it has ended, completed or not"),
)


def agents(incomplete: str) -> list[tuple[str, str]]:
    """Return the ids of agents that begin with `incomplete`; none when no daemon runs, and none is started."""
    listed = _reply("status", {"usage": False, "most": 500}).get("agents", ())
    return _matching(incomplete, ((agent["id"], f"{agent['name']}, {agent['status']}") for agent in listed))


def dependencies(incomplete: str) -> list[tuple[str, str]]:
    """Return the ids of agents that begin with `incomplete`; after an id and a colon, the conditions."""
    head, colon, _ = incomplete.rpartition(":")
    if not colon:
        return agents(incomplete)
    return _matching(incomplete, ((f"{head}:{condition}", what) for condition, what in _CONDITIONS))


def runs(incomplete: str) -> list[tuple[str, str]]:
    """Return the ids of runs that begin with `incomplete`; none when no daemon runs."""
    listed = _reply("runs", {}).get("runs", ())
    return _matching(incomplete, ((run["id"], f"{run['name']}, {run['status']}") for run in listed))


def compositions(incomplete: str) -> list[tuple[str, str]]:
    """Return the files and folders that begin with `incomplete`, and the compositions that need no path."""
    from orchctl.skills import find

    here = Path.cwd()
    paths = (
        (f"{incomplete.rpartition('/')[0]}/" if "/" in incomplete else "") + path.name + ("/" if path.is_dir() else "")
        for path in sorted((here / incomplete.rpartition("/")[0]).glob("*"))
        if path.is_dir() or path.suffix == ".json"
    )
    names = ((name, "composition") for name in dict.fromkeys(find.names(here)))
    return _matching(incomplete, (*names, *((path, "") for path in paths)))


def skills_here(incomplete: str) -> list[tuple[str, str]]:
    """Return the names of skills that are found from the current directory."""
    from orchctl.skills import find

    names = dict.fromkeys(folder.name for folder in find.all_from(Path.cwd()))
    return _matching(incomplete, ((name, "skill") for name in names))


def tasks(incomplete: str) -> list[tuple[str, str]]:
    """Return the names of the tasks in `docs/tasks`, with their goals; tasks with invalid files are left out."""
    from orchctl.tasks.problems import TasksError
    from orchctl.tasks.task_file import DIRECTORY, read_all

    try:
        read = read_all(Path.cwd() / DIRECTORY, DIRECTORY).tasks
    except TasksError:
        return []
    return _matching(incomplete, ((task.name, task.goal) for task in read))


OFFERS: dict[Completion, Callable[[str], list[tuple[str, str]]]] = {
    Completion.AGENTS: agents,
    Completion.DEPENDENCIES: dependencies,
    Completion.RUNS: runs,
    Completion.COMPOSITIONS: compositions,
    Completion.SKILLS: skills_here,
    Completion.TASKS: tasks,
}


def _matching(incomplete: str, known: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(word, what) for word, what in known if word.startswith(incomplete)]


def _reply(op: str, args: Mapping[str, object]) -> dict[str, Any]:
    """Return the daemon's reply to `op`; nothing when there is none."""
    from orchctl.client import Client

    try:
        with Client(starts=False) as client:
            return client.call(op, args)
    except (ClientError, WireError, HomeError, OSError):  # a shell has nowhere to show an error
        return {}
