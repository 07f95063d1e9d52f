"""`orchctl tasks run`: spawn agents for all unfinished tasks, in one request and in dependency order."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
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

_TURN = 60.0  # seconds for another client to finish its request

States = Mapping[str, TaskState]


def run(args: SimpleNamespace) -> int:
    """Print the ids of the agents of all tasks in progress; with --wait, wait for them too."""
    if args.wait_timeout is not None and not args.wait:
        raise UsageError(
            "--wait-timeout requires --wait: give both; the timeout of an agent is `timeout` in its task file"
        )
    where = place(args.directory)
    tasks = opened(where)
    only = tuple(map(plain, args.only))
    launch.known(tasks, only)
    default_runner = None  # the daemon refuses tasks without a runner, and says why there is no default
    with suppress(WireError, schema.ShapeError, OSError):
        default_runner = runner_config.read(default_home() / "config.toml").chosen(os.environ)
    wanted = Wanted(only, args.again, args.runner, default_runner, args.model, args.worktree)
    with Client() as client:
        choice, states, agents, warnings = _spawned(client, tasks, where, wanted)
        if not args.json:
            _note_others(choice, states, where, is_all=not only)
        without_runner = [agent for task, agent in zip(choice.run, agents, strict=True) if not task.runner]
        note_pretenders(without_runner, args.runner)
        going = [state.agent for task in choice.going if (state := states[task.name]).agent is not None]
        ids = [agent["id"] for agent in (*agents, *going)]
        value = {"agents": agents, "going": going, "done": [task.name for task in choice.done]}
        value |= {"unneeded": [task.name for task in choice.unneeded]} if choice.unneeded else {}
        value |= {"warnings": warnings} if warnings else {}
        if args.wait and args.json:  # as JSON there is one answer, which comes after the wait
            result = {"agents": [], "timed_out": False}
            if ids:
                result = wait.ended(client, ids, timeout=args.wait_timeout)
                result.pop("runs")
            console.say_json({**value, "going": [], **result})
            return wait.code_of(result)
        console.result(value, ids, as_json=args.json)
        console.flush()
        if not args.wait or not ids:
            return OK
        return wait.wait(client, SimpleNamespace(ids=ids, json=False), timeout=args.wait_timeout)


def _spawned(
    client: Client, tasks: Sequence[TaskFile], where: Place, wanted: Wanted
) -> tuple[Choice, States, list[dict[str, Any]], list[str]]:
    """Spawn an agent for each chosen task. Returns the choice, the states, the agents and warnings about worktrees.

    Holds a lock meanwhile: otherwise two clients would spawn agents for the same task.
    """
    from filelock import FileLock, Timeout

    results, directory = where.path / RESULTS, Path.cwd()
    prompts = results / PROMPTS
    prompts.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(prompts / ".lock", timeout=_TURN):
            states = standing(tasks, where, client)
            choice = launch.chosen(tasks, states, wanted)
            if not choice.run:
                return choice, states, [], []
            with launch.without_old_results(choice.run, results) as kept:
                launch.write_prompts(choice.run, results, directory, tasks)
                specs = launch.specs(choice, states, results, wanted)
                warnings = checks.check(specs, directory, client.home.config) if wanted.worktree else []
                agents = client.call("spawn", {"agents": specs, **origin(directory)})["agents"]
    except Timeout:
        raise RefusedError(f"another client is starting the tasks of {where.shown}; try again", code="busy") from None
    for warning in warnings:
        console.warn(warning)
    for path in kept:
        console.warn(
            f"{where.shown}/{RESULTS}/{path.name.partition('.md')[0]}.md will be written again; "
            f"the old result is {path.name}"
        )
    return choice, states, agents, warnings


def _note_others(choice: Choice, states: States, where: Place, *, is_all: bool) -> None:
    """Print for each task that gets no agent why not."""
    for task in choice.done:
        agent = states[task.name].agent
        proof = f"{where.result(task)} exists"
        if agent is not None and not task.result(where.path / RESULTS).exists():
            proof = f"{agent['id']} completed"
        console.warn(f"{task.name} is done: {proof}; --again runs it again")
    for task in choice.going:
        console.warn(f"{task.name} is in progress: {states[task.name].summary()}")
    for task in choice.unneeded:
        console.warn(f"{task.name} is not needed: {states[task.name].why}")
    if not choice.run and not choice.going:
        every = "every task is done or not needed" if choice.unneeded else "every task is done"
        console.warn(f"nothing to do: {every if is_all else 'the tasks of --only are done'}")
