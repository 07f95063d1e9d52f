"""Chooses the tasks to run, and builds the request that spawns them all."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from orchctl.composition import guess_tokens
from orchctl.errors import RefusedError, UsageError
from orchctl.skills import find as skills
from orchctl.skills.backups import back_up
from orchctl.tasks.prompts import prompt
from orchctl.tasks.states import OUTDATED, UNNEEDED, TaskState
from orchctl.tasks.task_file import TaskFile
from orchctl.worktrees.checks import has_worktree
from orchd.instance import runner_config
from orchd.instance.system import atomic_file
from orchd.protocol import dependencies, statuses

PROMPTS = ".prompts"


class Wanted(NamedTuple):
    """Options of a run of tasks."""

    only: tuple[str, ...] = ()
    is_again: bool = False
    runner: str | None = None  # of tasks that name none
    default: str | None = None  # the runner when this names none either, if known
    model: str | None = None
    worktree: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """The tasks to run now, the tasks in progress, and the other tasks: done or not needed."""

    run: tuple[TaskFile, ...]
    going: tuple[TaskFile, ...]
    done: tuple[TaskFile, ...]
    unneeded: tuple[TaskFile, ...] = ()


def chosen(tasks: Sequence[TaskFile], states: Mapping[str, TaskState], wanted: Wanted) -> Choice:
    """Choose the action for each task. Raises RefusedError when a task depends on a task that is left out."""
    among = [task for task in tasks if not wanted.only or task.name in wanted.only]
    going = tuple(task for task in among if states[task.name].is_on_its_way)
    left = [task for task in among if not states[task.name].is_on_its_way]
    done = tuple(task for task in left if _is_done(task, states[task.name], wanted) and not wanted.is_again)
    open_ = [task for task in left if task not in done]
    running = {task.name for task in open_}
    unneeded = []
    for task in open_:  # in dependency order: a task that runs makes its dependents needed
        if states[task.name].word == UNNEEDED and running.isdisjoint(task.after):
            running.discard(task.name)
            unneeded.append(task)
    run = tuple(task for task in open_ if task not in unneeded)
    names = {task.name for task in run}
    for task in run:
        for name in task.after:
            state = states[name]
            if name not in names and not state.is_on_its_way and not _is_satisfied(task, name, state, wanted):
                way_out = f"add `--only {name}`"
                before = repr(_with_condition(task, name, name))
                what = f"{task.name!r} depends on {before}, which is {state.summary()}; {way_out}"
                raise RefusedError(what, code="not-done", details={"task": task.name, "after": name})
    return Choice(run, going, done, tuple(unneeded))


def known(tasks: Sequence[TaskFile], only: Collection[str]) -> None:
    """Raise UsageError when `only` names an unknown task."""
    from difflib import get_close_matches

    names = [task.name for task in tasks]
    for name in only:
        if name not in names:
            nearest = get_close_matches(name, names, 1)
            way_out = f"did you mean {nearest[0]!r}?" if nearest else f"known tasks: {', '.join(names[:20])}"
            raise UsageError(f"--only {name!r}: unknown task; {way_out}", code="unknown-task")


def _is_done(task: TaskFile, state: TaskState, wanted: Wanted) -> bool:
    """Whether its result counts: a result of the mock runner counts only for a run with the mock runner."""
    return state.is_done and (
        not state.is_pretended or (task.runner or wanted.runner or wanted.default) == runner_config.MOCK
    )


def _with_condition(task: TaskFile, name: str, agent: str) -> str:
    return f"{agent}:{task.conditions[name]}" if name in task.conditions else agent


def _is_satisfied(task: TaskFile, name: str, state: TaskState, wanted: Wanted) -> bool:
    """Whether the task `name` ended as `task` requires; a task that is not needed counts as skipped."""
    condition = task.condition(name)
    if condition == dependencies.COMPLETED:
        return _is_done(task, state, wanted) or state.word == OUTDATED
    if condition == dependencies.ANY:
        return state.agent is not None or state.word in (UNNEEDED, OUTDATED) or state.is_done
    return state.word in statuses.FAILED


def specs(choice: Choice, states: Mapping[str, TaskState], results: Path, wanted: Wanted) -> list[dict[str, Any]]:
    """Return the agent specs of the tasks to run. Dependencies that are done already are left out."""
    names = {task.name for task in choice.run}
    agent_specs = []
    for task in choice.run:
        agents = {name: states[name].agent for name in task.after if states[name].is_on_its_way}
        if wanted.worktree:  # it begins with what agents that are done left in their worktrees
            done = {name: states[name].agent for name in task.after if name not in names}
            agents |= {name: agent for name, agent in done.items() if agent is not None and has_worktree(agent)}
        after = [
            _with_condition(task, name, agent["id"] if (agent := agents.get(name)) else name)
            for name in task.after
            if name in names or name in agents
        ]
        spec: dict[str, Any] = {
            "name": task.name,
            "goal": task.goal,
            "skill": task.skill,
            "command": list(task.command),
            "runner": None if task.command else task.runner or wanted.runner,
            "model": None if task.command else task.model or wanted.model,
            "worktree": wanted.worktree,
            "stdin": str(prompt_path(task, results)),
            "result": str(task.results(results)[0]),
            "after": after,
            "timeout": task.timeout,
            "retries": task.retries,
            "memory_max": task.memory_max,
            "cpu_max": task.cpu_max,
            "pids_max": task.pids_max,
            "tokens": task.tokens if task.tokens is not None else guess_tokens(len(task.body)),
            "nesting": task.nesting,
        }
        agent_specs.append({key: value for key, value in spec.items() if value not in (None, [], 0, False)})
    return agent_specs


def prompt_path(task: TaskFile, results: Path) -> Path:
    """Return the file that the agent of a task reads on standard input."""
    return results / PROMPTS / f"{task.name}.md"


def write_prompts(run: Sequence[TaskFile], results: Path, directory: Path, tasks: Sequence[TaskFile] = ()) -> None:
    """Write the prompts of `run`. Of all `tasks`, a task with a command may leave no result."""
    places = skills.places(directory)
    commands = {task.name for task in tasks if task.command}
    for task in run:
        folder = skills.find(task.skill, places) if task.skill else None
        inputs = []
        for name in task.after:
            doubt = ", if it exists: the task is a command" if name in commands else ""
            if name in task.conditions:
                ended = "has failed" if task.conditions[name] == dependencies.FAILED else "may have failed"
                doubt = f", if it exists: {name} {ended}"
            inputs.append(f"{TaskFile(Path(), name).result(results)}{doubt}")
        text = prompt(
            task,
            skill_text=skills.text_of(folder) if folder else "",
            inputs=inputs,
            result=str(task.results(results)[0]),
        )
        # a prompt names directories, which are bytes
        atomic_file.write(prompt_path(task, results), text.encode(errors="surrogateescape"))


@contextmanager
def without_old_results(run: Sequence[TaskFile], results: Path) -> Iterator[list[Path]]:
    """Move old results away as `.bak` files, and move them back when the block fails."""
    moved: list[tuple[Path, Path]] = []
    try:
        for task in run:
            moved += [(path, back_up(path)) for path in task.results(results) if path.is_file()]
        yield [kept for _, kept in moved]
    except BaseException:
        for path, kept in moved:
            kept.rename(path)
        raise
