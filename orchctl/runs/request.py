"""From a composition to the request of a run: groups, members, their prompts, and where their results go."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from orchctl.composition import Flat, Group, Member, Task, Tree, around, estimate_tokens, flatten, task_prompt
from orchctl.daemon.launcher import for_agents
from orchctl.errors import NoDaemonError, UsageError
from orchctl.spawn import attributes
from orchd.instance import environment
from orchd.instance.projects import project_of
from orchd.instance.system import atomic_file
from orchd.protocol import operations, schema, specs
from orchd.protocol.durations import duration
from orchd.protocol.frames import MAX_FRAME, pack_request

_RUNS = ".agent/runs"
_INPUTS = 100_000  # bytes of one variable: the kernel refuses a program that gets more than 128 kB in one


@dataclass(frozen=True, slots=True)
class Launch:
    """A run to be. `request` is that of the op `run`, without an environment; `prompts` are files to be written."""

    request: dict[str, Any]
    prompts: Mapping[Path, str]
    flat: Flat


def prepared(tree: Tree, task: Task, *, runner: str | None, directory: Path, results: Path) -> Launch:
    """The run of `tree` in `directory`, its results in the directory `results`. Raises UsageError, CompositionError."""
    flat = flatten(tree)
    maker = _Maker(flat, task, runner, results)
    request: dict[str, Any] = {
        "name": tree.composition.name,
        "groups": [_group(group) for group in flat.groups],
        "members": [maker.member(one) for one in flat.members],
        "cwd": str(directory),
        "results": str(results),
        "project": str(project_of(directory)),
    }
    if task.task_id:
        request["task_id"] = task.task_id
    prompts = {results / f"{one.path}.prompt.md": maker.prompt(one) for one in flat.members}
    return Launch(request, prompts, flat)


def sendable(launch: Launch) -> dict[str, Any]:
    """The request with this environment. Raises UsageError when the daemon would not take it."""
    request = {**launch.request, "env": for_agents(), "attributes": attributes.own()}
    try:
        schema.build(operations.Run, request)
    except schema.ShapeError as error:
        raise UsageError(f"{error}; correct it and try again: nothing was started", code="bad-run") from None
    size = len(pack_request("check", "run", request))
    if size > MAX_FRAME:
        what = f"a request of {size} bytes, the most is {MAX_FRAME}: make several runs of it; nothing was started"
        raise UsageError(what, code="too-large")
    return request


def results_of(directory: Path, name: str) -> Path:
    """Where the results of the next run of this name go: `.agent/runs/NAME-N` with a number that is not used yet."""
    return next(_unused(directory / _RUNS, name))


def _unused(parent: Path, name: str) -> Iterator[Path]:
    """That, and what comes after it: the first may be there nevertheless, in a directory that cannot be listed."""
    used = (one.name.removeprefix(f"{name}-") for one in parent.glob(f"{_literal(name)}-*"))
    first = 1 + max((int(one) for one in used if one.isascii() and one.isdigit()), default=0)
    return (parent / f"{name}-{number}" for number in count(first))


def _literal(name: str) -> str:
    from glob import escape

    return escape(name)


@contextmanager
def reserved(directory: Path, name: str) -> Iterator[Path]:
    """The directory for results, made now; gone again when the daemon does not take the run."""
    parent = directory / _RUNS
    parent.mkdir(parents=True, exist_ok=True)  # where a link leads nowhere, this is what fails
    for results in _unused(parent, name):
        try:
            results.mkdir()
            break
        except FileExistsError:  # somebody else was quicker
            continue
    try:
        yield results
    except (NoDaemonError, KeyboardInterrupt):  # the request may have arrived, and nobody heard of it
        raise
    except BaseException:
        shutil.rmtree(results, ignore_errors=True)
        raise


def write_prompts(launch: Launch) -> None:
    """Put every prompt where its member finds it; the folders for results are then there too."""
    for path, text in launch.prompts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_file.write(path, text.encode(errors="surrogateescape"))  # it names directories, which are bytes


def result_path(results: Path, path: str) -> Path:
    """The file that the member `path` writes its result to."""
    return results / f"{path}.md"


def _group(group: Group) -> dict[str, Any]:
    strategy = group.composition.coordination_strategy
    return {
        "path": group.path,
        "max_parallel": group.composition.max_parallel,
        "on_failure": "continue" if strategy.error_handling == "continue-on-error" else "fail-fast",
        "after": list(group.after),
        "required": group.required,
    }


class _Maker:
    """Makes members and prompts of one run."""

    def __init__(self, flat: Flat, task: Task, runner: str | None, results: Path) -> None:
        self._groups = {group.path: group for group in flat.groups}
        self._task = task
        self._runner = runner
        self._results = results

    def member(self, one: Member) -> dict[str, Any]:
        return {
            "path": one.path,
            "agent": self._agent(one),
            "after": list(one.after),
            "required": one.sub_skill.required,
            "variables": self._variables(one),
        }

    def _agent(self, one: Member) -> dict[str, Any]:
        known: dict[str, Any] = {
            "name": one.path.rpartition("/")[2],
            "command": list(one.sub_skill.command),
            "runner": None if one.sub_skill.command else one.sub_skill.runner or self._runner,
            "model": one.sub_skill.model,
            "skill": one.sub_skill.skill_name,
            "goal": one.sub_skill.role[: specs.LONGEST_GOAL],
            "task_id": self._task.task_id,
            "stdin": str(self._results / f"{one.path}.prompt.md"),
            "timeout": None if one.sub_skill.timeout is None else duration(one.sub_skill.timeout),
            "retries": one.retries,
            "result": str(result_path(self._results, one.path)),
            "tokens": estimate_tokens(one.sub_skill, len(one.text)).tokens,
        }
        return {key: value for key, value in known.items() if value not in (None, "", [], 0)}

    def _variables(self, one: Member) -> dict[str, str]:
        inputs = environment.listed(self._inputs(one))
        if len(os.fsencode(inputs)) > _INPUTS:
            inputs = environment.listed([str(self._results / around(one.path))])
        return {**one.sub_skill.env, environment.ENV_RESULTS: inputs}

    def _inputs(self, one: Member) -> list[str]:
        """What its dependencies write: a file each, a directory for those that are compositions."""
        after = one.after
        path = one.path
        while not after and (path := around(path)):  # the first ones inside read what their composition comes after
            after = self._groups[path].after
        return [
            str(self._results / other if other in self._groups else result_path(self._results, other))
            for other in after
        ]

    def prompt(self, one: Member) -> str:
        return task_prompt(
            one.sub_skill,
            self._task,
            skill_text=one.text,
            around=list(self._around(one))[::-1],
            inputs=self._inputs(one),
            result=str(result_path(self._results, one.path)),
        )

    def _around(self, one: Member) -> Iterator[str]:
        """What the compositions that it is part of are for, from the inside out."""
        path = one.path
        while path:
            path = around(path)
            group = self._groups[path]
            given = group.given
            said = (group.composition.description, *((given.role, given.prompt) if given else ()))
            yield f"{group.composition.name}: {' '.join(part for part in said if part)}".removesuffix(": ")
