"""`orchctl tasks run`: every task that is not done, all in one request, each behind those it comes after."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from orchctl.client import Client
from orchctl.commands.agents import wait
from orchctl.errors import RefusedError, UsageError
from orchctl.exit_codes import OK
from orchctl.spawn.mock_notes import note_pretenders
from orchctl.spawn.request import origin
from orchctl.tasks import launch
from orchctl.tasks.directory import Place, opened, place, standing
from orchctl.tasks.launch import PROMPTS, Choice, Wanted
from orchctl.tasks.states import TaskState
from orchctl.tasks.task_file import RESULTS, TaskFile, plain
from orchctl.terminal import console
from orchctl.worktrees import checks
from orchd.instance import runner_config
from orchd.instance.home import default_home
from orchd.protocol import schema
from orchd.protocol.errors import WireError

_TURN = 60.0  # seconds for somebody else to finish asking

States = Mapping[str, TaskState]


def run(args: SimpleNamespace) -> int:
    """Print the ids of all agents that are on their way; with --wait, wait for them too."""
    if args.wait_timeout is not None and not args.wait:
        raise UsageError("--wait-timeout is for --wait: give both; the agent's own is `timeout` in its task file")
    where = place(args.directory)
    tasks = opened(where)
    only = tuple(map(plain, args.only))
    launch.known(tasks, only)
    wanted = Wanted(only, args.again, args.runner, _default(), args.model, args.worktree)
    with Client() as client:
        choice, states, (agents, warnings) = _locked(client, tasks, where, wanted)
        if not args.json:
            _say(choice, states, where, is_all=not only)
        unsaid = [agent for task, agent in zip(choice.run, agents, strict=True) if not task.runner]
        note_pretenders(unsaid, args.runner)
        going = [state.agent for task in choice.going if (state := states[task.name]).agent is not None]
        ids = [agent["id"] for agent in (*agents, *going)]
        value = {"agents": agents, "going": going, "done": [task.name for task in choice.done]}
        value |= {"unneeded": [task.name for task in choice.unneeded]} if choice.unneeded else {}
        value |= {"warnings": warnings} if warnings else {}
        if args.wait and args.json:  # then there is one answer, the last
            return _ended(client, ids, value, args.wait_timeout)
        console.result(value, ids, as_json=args.json)
        console.flush()
        return (
            wait.wait(client, SimpleNamespace(ids=ids, json=False), timeout=args.wait_timeout)
            if args.wait and ids
            else OK
        )


def _default() -> str | None:
    """The runner of tasks that name none; None when the daemon will refuse them, and say why."""
    try:
        return runner_config.read(default_home() / "config.toml").chosen(os.environ)
    except (WireError, schema.ShapeError, OSError):
        return None


def _ended(client: Client, ids: Sequence[str], value: dict[str, Any], timeout: float | None) -> int:
    """Wait, and print what came of all that were on their way."""
    result = wait.ended(client, ids, timeout=timeout) if ids else {"agents": [], "timed_out": False}
    result.pop("runs", None)
    console.say_json({**value, "going": [], **result})
    return wait.code_of(result)


def _locked(
    client: Client, tasks: Sequence[TaskFile], where: Place, wanted: Wanted
) -> tuple[Choice, States, tuple[list[dict[str, Any]], list[str]]]:
    """Look and spawn, while nobody else does: else two would spawn the same task."""
    from filelock import FileLock, Timeout

    prompts = where.path / RESULTS / PROMPTS
    prompts.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(prompts / ".lock", timeout=_TURN):
            states = standing(tasks, where, client)
            choice = launch.chosen(tasks, states, wanted)
            return choice, states, _spawned(client, tasks, choice, states, where, wanted)
    except Timeout:
        raise RefusedError(f"somebody else runs the tasks of {where.shown} and does not finish", code="busy") from None


def _spawned(
    client: Client, tasks: Sequence[TaskFile], choice: Choice, states: States, where: Place, wanted: Wanted
) -> tuple[list[dict[str, Any]], list[str]]:
    """The agents that were asked for, and what their worktrees will not have."""
    if not choice.run:
        return [], []
    results, directory = where.path / RESULTS, Path.cwd()
    with launch.without_old_results(choice.run, results) as kept:
        launch.write_prompts(choice.run, results, directory, tasks)
        agents = launch.specs(choice, states, results, wanted)
        warnings = checks.check(agents, directory, client.home.config) if wanted.worktree else []
        answer = client.call("spawn", {"agents": agents, **origin(directory)})
    for text in warnings:
        console.warn(text)
    for path in kept:
        console.warn(
            f"{where.shown}/{RESULTS}/{path.name.partition('.md')[0]}.md is made anew; the old one is {path.name}"
        )
    found: list[dict[str, Any]] = answer["agents"]
    return found, warnings


def _proof(task: TaskFile, state: TaskState, where: Place) -> str:
    """Why a task counts as done."""
    if state.agent is not None and not task.result(where.path / RESULTS).exists():
        return f"{state.agent['id']} completed"
    return f"{where.result(task)} is there"


def _say(choice: Choice, states: States, where: Place, *, is_all: bool) -> None:
    """What is not run, and why."""
    for task in choice.done:
        console.warn(f"{task.name} is done: {_proof(task, states[task.name], where)}; --again runs it once more")
    for task in choice.going:
        console.warn(f"{task.name} is on its way: {states[task.name].summary()}")
    for task in choice.unneeded:
        console.warn(f"{task.name} is not needed: {states[task.name].why}")
    if not choice.run and not choice.going:
        console.warn(
            "nothing to do: "
            + (
                "every task is done or not needed"
                if is_all and choice.unneeded
                else "every task is done"
                if is_all
                else "what --only names is done"
            )
        )
