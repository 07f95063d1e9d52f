"""Which tasks to run, and the one request that spawns them all."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from orchctl.composition import guess_tokens
from orchctl.errors import RefusedError, UsageError
from orchctl.skills import find as skills
from orchctl.skills.backups import put_aside
from orchctl.tasks.prompts import prompt
from orchctl.tasks.states import OUTDATED, UNNEEDED, State
from orchctl.tasks.task_file import Task
from orchctl.worktrees.checks import has_worktree
from orchd.instance import runner_config
from orchd.instance.system import atomic_file
from orchd.protocol import dependencies, statuses

PROMPTS = ".prompts"


class Wanted(NamedTuple):
    """What was asked for besides the tasks themselves."""

    only: tuple[str, ...] = ()
    is_again: bool = False
    runner: str | None = None  # of tasks that name none
    default: str | None = None  # the runner when this names none either, as far as it is known here
    model: str | None = None
    worktree: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """The tasks that are to run now, those that are on their way, and those left alone: done, or not needed."""

    run: tuple[Task, ...]
    going: tuple[Task, ...]
    done: tuple[Task, ...]
    unneeded: tuple[Task, ...] = ()


def chosen(tasks: Sequence[Task], states: Mapping[str, State], wanted: Wanted) -> Choice:
    """What to do about each of `tasks`. Raises RefusedError when one cannot run because of what is left out."""
    among = [task for task in tasks if not wanted.only or task.name in wanted.only]
    going = tuple(task for task in among if states[task.name].is_on_its_way)
    left = [task for task in among if not states[task.name].is_on_its_way]
    done = tuple(task for task in left if _is_done(task, states[task.name], wanted) and not wanted.is_again)
    open_ = [task for task in left if task not in done]
    unneeded = _unneeded(open_, states)
    run = tuple(task for task in open_ if task not in unneeded)
    _check_before(run, states, wanted)
    return Choice(run, going, done, tuple(unneeded))


def _unneeded(tasks: Sequence[Task], states: Mapping[str, State]) -> list[Task]:
    """The tasks that no agent would start for; a task is needed after all when one that it comes after runs again."""
    running = {task.name for task in tasks}
    found = []
    for task in tasks:  # each behind those that it comes after
        if states[task.name].word == UNNEEDED and running.isdisjoint(task.after):
            running.discard(task.name)
            found.append(task)
    return found


def known(tasks: Sequence[Task], only: Collection[str]) -> None:
    """Raise UsageError when `only` names a task that there is not."""
    from difflib import get_close_matches

    names = [task.name for task in tasks]
    for name in only:
        if name not in names:
            nearest = get_close_matches(name, names, 1)
            way_out = f"did you mean {nearest[0]!r}?" if nearest else f"there are {', '.join(names[:20])}"
            raise UsageError(f"--only {name!r} is no task here; {way_out}", code="unknown-task")


def _is_done(task: Task, state: State, wanted: Wanted) -> bool:
    """Whether its result stands: what the mock wrote does for another run with the mock alone."""
    return state.is_done and (
        not state.is_pretended or (task.runner or wanted.runner or wanted.default) == runner_config.MOCK
    )


def _check_before(run: Sequence[Task], states: Mapping[str, State], wanted: Wanted) -> None:
    names = {task.name for task in run}
    for task in run:
        for one in task.after:
            state = states[one]
            if one not in names and not state.is_on_its_way and not _is_satisfied(task, one, state, wanted):
                way_out = f"run that too, with `--only {one}`"
                what = f"{task.name!r} comes after {_named(task, one)}, which is {state.said()}; {way_out}"
                raise RefusedError(what, code="not-done", details={"task": task.name, "after": one})


def _named(task: Task, one: str) -> str:
    return repr(one) if one not in task.conditions else repr(f"{one}:{task.conditions[one]}")


def _is_satisfied(task: Task, one: str, state: State, wanted: Wanted) -> bool:
    """Whether the task `one` ended as `task` requires; one that is not needed ended as one that was skipped."""
    condition = task.condition(one)
    if condition == dependencies.COMPLETED:
        return _has_result(task, state, wanted)
    if condition == dependencies.ANY:
        return state.agent is not None or state.word in (UNNEEDED, OUTDATED) or state.is_done
    return state.word in statuses.FAILED


def _has_result(task: Task, state: State, wanted: Wanted) -> bool:
    return _is_done(task, state, wanted) or state.word == OUTDATED


def specs(choice: Choice, states: Mapping[str, State], results: Path, wanted: Wanted) -> list[dict[str, Any]]:
    """An agent for each task that is to run. What it comes after and is done already is no matter any more."""
    names = {task.name for task in choice.run}
    return [_spec(task, states, names, results, wanted) for task in choice.run]


def _spec(
    task: Task, states: Mapping[str, State], names: Collection[str], results: Path, wanted: Wanted
) -> dict[str, Any]:
    agents = {one: states[one].agent for one in task.after if states[one].is_on_its_way}
    if wanted.worktree:
        done = {one: states[one].agent for one in task.after if one not in names}
        agents |= {one: agent for one, agent in done.items() if agent is not None and has_worktree(agent)}
    after = [
        _with_condition(task, one, agent["id"] if (agent := agents.get(one)) else one)
        for one in task.after
        if one in names or one in agents
    ]
    given: dict[str, Any] = {
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
    return {key: value for key, value in given.items() if value not in (None, [], 0, False)}


def _with_condition(task: Task, one: str, agent: str) -> str:
    return f"{agent}:{task.conditions[one]}" if one in task.conditions else agent


def prompt_path(task: Task, results: Path) -> Path:
    """The file that its agent reads on standard input."""
    return results / PROMPTS / f"{task.name}.md"


def write_prompts(run: Sequence[Task], results: Path, directory: Path, tasks: Sequence[Task] = ()) -> None:
    """Put every prompt of `run` where its agent finds it. Of all `tasks`, those with a command may leave no result."""
    places = skills.places(directory)
    commands = {task.name for task in tasks if task.command}
    for task in run:
        folder = skills.find(task.skill, places) if task.skill else None
        inputs = [f"{Task(Path(), one).result(results)}{_doubt(task, one, commands)}" for one in task.after]
        text = prompt(
            task,
            skill_text=skills.text_of(folder) if folder else "",
            inputs=inputs,
            result=str(task.results(results)[0]),
        )
        # it names directories, which are bytes
        atomic_file.write(prompt_path(task, results), text.encode(errors="surrogateescape"))


def _doubt(task: Task, one: str, commands: Collection[str]) -> str:
    """Why the result of the task `one` may not exist; empty when it does."""
    if one in task.conditions:
        ended = "has failed" if task.conditions[one] == dependencies.FAILED else "may have failed"
        return f", if there is one: {one} {ended}"
    return ", if there is one: of a command" if one in commands else ""


@contextmanager
def without_old_results(run: Sequence[Task], results: Path) -> Iterator[list[Path]]:
    """Their old results, out of the way as `.bak` files; put back when it comes to nothing."""
    moved: list[tuple[Path, Path]] = []
    try:
        for task in run:
            moved += [(path, put_aside(path)) for path in task.results(results) if path.is_file()]
        yield [kept for _, kept in moved]
    except BaseException:
        for path, kept in moved:
            kept.rename(path)
        raise
