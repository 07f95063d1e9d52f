"""Builds the request of a run from a composition: groups, members, their prompts, and the paths of their results."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from orchctl.composition import Flat, Member, Task, Tree, around, estimate_tokens, flatten, task_prompt
from orchctl.daemon.launcher import for_agents
from orchctl.errors import NoDaemonError, UsageError
from orchctl.spawn import attributes
from orchd.instance import environment
from orchd.instance.projects import project_of
from orchd.instance.system import atomic_file
from orchd.protocol import bounds, operations, schema
from orchd.protocol.durations import duration
from orchd.protocol.frames import MAX_FRAME, pack_request

_RUNS = ".agent/runs"
_ON_FAILURE = {"continue-on-error": "continue"}  # by `error_handling` of a composition; otherwise fail-fast
_INPUTS = 100_000  # bytes of one variable: the kernel refuses a program that gets more than 128 kB in one


@dataclass(frozen=True, slots=True)
class RunLaunch:
    """A run to start. `request` is for the operation `run`, without an environment; `prompts` are files to write."""

    request: dict[str, Any]
    prompts: Mapping[Path, str]
    flat: Flat


def prepared(tree: Tree, task: Task, *, runner: str | None, directory: Path, results: Path) -> RunLaunch:
    """Prepare the run of `tree` in `directory`, with its results in `results`. Raises UsageError, CompositionError."""
    flat = flatten(tree)
    maker = _Maker(flat, task, runner, results)
    request: dict[str, Any] = {
        "name": tree.composition.name,
        "groups": [
            {
                "path": group.path,
                "max_parallel": group.composition.max_parallel,
                "on_failure": _ON_FAILURE.get(group.composition.coordination_strategy.error_handling, "fail-fast"),
                "after": list(group.after),
                "required": group.required,
            }
            for group in flat.groups
        ],
        "members": [maker.member(member) for member in flat.members],
        "cwd": str(directory),
        "results": str(results),
        "project": str(project_of(directory)),
    }
    if task.task_id:
        request["task_id"] = task.task_id
    prompts = {results / f"{member.path}.prompt.md": maker.prompt(member) for member in flat.members}
    return RunLaunch(request, prompts, flat)


def sendable(launch: RunLaunch) -> dict[str, Any]:
    """Return the request with this environment. Raises UsageError when the daemon would refuse it."""
    request = {**launch.request, "env": for_agents(), "attributes": attributes.own()}
    try:
        schema.parse(operations.Run, request)
    except schema.ShapeError as error:
        raise UsageError(f"{error}; correct it and try again: nothing was started", code="bad-run") from None
    size = len(pack_request("check", "run", request))
    if size > MAX_FRAME:
        what = f"the request has {size} bytes, more than {MAX_FRAME}: split it into several runs; nothing was started"
        raise UsageError(what, code="too-large")
    return request


def results_of(directory: Path, name: str) -> Path:
    """Return the results directory of the next run of this name: `.agent/runs/NAME-N` with the first free number."""
    return next(_unused(directory / _RUNS, name))


def _unused(parent: Path, name: str) -> Iterator[Path]:
    """Yield free paths: the first may exist nevertheless, in a directory that cannot be listed."""
    from glob import escape

    used = (path.name.removeprefix(f"{name}-") for path in parent.glob(f"{escape(name)}-*"))
    first = 1 + max((int(number) for number in used if number.isascii() and number.isdigit()), default=0)
    return (parent / f"{name}-{number}" for number in count(first))


@contextmanager
def reserved(directory: Path, name: str) -> Iterator[Path]:
    """Create the directory for results, and remove it again when the daemon refuses the run."""
    parent = directory / _RUNS
    parent.mkdir(parents=True, exist_ok=True)  # where a link leads nowhere, this is what fails
    for results in _unused(parent, name):
        try:
            results.mkdir()
            break
        except FileExistsError:  # another client was quicker
            continue
    try:
        yield results
    except (NoDaemonError, KeyboardInterrupt):  # the request may have arrived without its reply
        raise
    except BaseException:
        shutil.rmtree(results, ignore_errors=True)
        raise


def write_prompts(launch: RunLaunch) -> None:
    """Write every prompt to the path that its member reads, which also creates the folders for results."""
    for path, text in launch.prompts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_file.write(path, text.encode(errors="surrogateescape"))  # it names directories, which are bytes


def result_path(results: Path, path: str) -> Path:
    """Return the file that the member `path` writes its result to."""
    return results / f"{path}.md"


class _Maker:
    """Builds the members and prompts of a run."""

    def __init__(self, flat: Flat, task: Task, runner: str | None, results: Path) -> None:
        self._groups = {group.path: group for group in flat.groups}
        self._task = task
        self._runner = runner
        self._results = results

    def member(self, member: Member) -> dict[str, Any]:
        """Return the member as the request has it."""
        inputs = environment.listed(self._inputs(member))
        if len(os.fsencode(inputs)) > _INPUTS:
            inputs = environment.listed([str(self._results / around(member.path))])
        spec: dict[str, Any] = {
            "name": member.path.rpartition("/")[2],
            "command": list(member.sub_skill.command),
            "runner": None if member.sub_skill.command else member.sub_skill.runner or self._runner,
            "model": member.sub_skill.model,
            "skill": member.sub_skill.skill_name,
            "goal": member.sub_skill.role[: bounds.LONGEST_GOAL],
            "task_id": self._task.task_id,
            "stdin": str(self._results / f"{member.path}.prompt.md"),
            "timeout": None if member.sub_skill.timeout is None else duration(member.sub_skill.timeout),
            "retries": member.retries,
            "result": str(result_path(self._results, member.path)),
            "tokens": estimate_tokens(member.sub_skill, len(member.text)).tokens,
        }
        return {
            "path": member.path,
            "agent": {key: value for key, value in spec.items() if value not in (None, "", [], 0)},
            "after": list(member.after),
            "required": member.sub_skill.required,
            "variables": {**member.sub_skill.env, environment.ENV_RESULTS: inputs},
        }

    def _inputs(self, member: Member) -> list[str]:
        """Return the results of its dependencies: a file each, or a directory for a composition."""
        after = member.after
        path = member.path
        while not after and (path := around(path)):  # the first members inside read the inputs of their composition
            after = self._groups[path].after
        return [
            str(self._results / other if other in self._groups else result_path(self._results, other))
            for other in after
        ]

    def prompt(self, member: Member) -> str:
        """Return the prompt of the member."""
        purposes: list[str] = []  # of the compositions around the member, from the outside in
        path = member.path
        while path:
            path = around(path)
            group = self._groups[path]
            given = group.given
            parts = (group.composition.description, *((given.role, given.prompt) if given else ()))
            purposes.insert(0, f"{group.composition.name}: {' '.join(filter(None, parts))}".removesuffix(": "))
        return task_prompt(
            member.sub_skill,
            self._task,
            skill_text=member.text,
            around=purposes,
            inputs=self._inputs(member),
            result=str(result_path(self._results, member.path)),
        )
