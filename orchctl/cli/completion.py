"""Shell completion of ids of agents and runs, of names of compositions, skills, tasks and runners, and of choices."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from orchctl.commands.spec import Completion
from orchctl.errors import ClientError
from orchd.instance.home import Home, HomeError, default_home
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


def worktrees(incomplete: str) -> list[tuple[str, str]]:
    """Return the ids of agents with a worktree, with their branches. It needs no daemon."""
    from orchctl.worktrees.create import all_in

    try:
        known = [(path.name, record.branch) for path, record in all_in(Home(default_home()).worktrees)]
    except (ClientError, HomeError, OSError):
        return []
    return _matching(incomplete, known)


def runners(incomplete: str) -> list[tuple[str, str]]:
    """Return the names of runners; only built-in runners when the configuration is invalid."""
    from orchd.instance import runner_config
    from orchd.protocol.schema import ShapeError

    try:
        names = runner_config.read(Home(default_home()).config).names
    except (ShapeError, HomeError, OSError):
        names = runner_config.BUILT_IN
    return _matching(incomplete, ((name, "runner") for name in names))


def roles(incomplete: str) -> list[tuple[str, str]]:
    """Return the roles of keys."""
    from orchd.protocol.remote_operations import ROLES

    return _matching(incomplete, ((role, "role") for role in ROLES))


def plan_formats(incomplete: str) -> list[tuple[str, str]]:
    """Return the formats of task lists."""
    from orchctl.plans.reading import FORMATS

    return _matching(incomplete, ((name, "format") for name in FORMATS))


def chart_formats(incomplete: str) -> list[tuple[str, str]]:
    """Return the formats of timelines."""
    from orchctl.commands.observe.timeline import FORMATS

    return _matching(incomplete, ((name, "format") for name in FORMATS))


def profiles(incomplete: str) -> list[tuple[str, str]]:
    """Return the profiles of the client's configuration, with their addresses; none when it is invalid."""
    from orchctl.client import remote

    try:
        known = remote.profiles()
    except (ClientError, OSError):
        return []
    return _matching(incomplete, ((name, profile.connect) for name, profile in known.items()))


OFFERS: dict[Completion, Callable[[str], list[tuple[str, str]]]] = {
    Completion.AGENTS: agents,
    Completion.DEPENDENCIES: dependencies,
    Completion.RUNS: runs,
    Completion.COMPOSITIONS: compositions,
    Completion.SKILLS: skills_here,
    Completion.TASKS: tasks,
    Completion.WORKTREES: worktrees,
    Completion.RUNNERS: runners,
    Completion.ROLES: roles,
    Completion.PLAN_FORMATS: plan_formats,
    Completion.CHART_FORMATS: chart_formats,
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
