"""What an attempt is to run: its words, its variables, and the directories that they need."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from orchd.core.model import Agent
from orchd.procs.files import files_of
from orchd.wire import Home, variables

# Who stands between the shim and the agent where the agent is more than a command. It is of the client's package, and
# neither the directory it starts in nor the agent's PYTHON* variables may change what it is.
_RUNNER = (sys.executable, "-E", "-P", "-m", "orchctl.runners")


class Refused(Exception):
    """The agent's own request cannot be met on this machine: no such program, directory or file."""


class Command(NamedTuple):
    """What the shim is to start."""

    words: list[str]
    variables: dict[str, str]


def command_of(home: Home, agent: Agent, environment: Mapping[str, str]) -> Command:
    """What is to be run for an attempt, with its directories there. Raises Refused."""
    found = environment_of(home, agent, environment)
    _check_directories(agent)
    return Command(_words(agent, found), found)


def environment_of(home: Home, agent: Agent, environment: Mapping[str, str]) -> dict[str, str]:
    """The client's environment and what an agent must know: whose it is, and `orchctl` on its PATH."""
    env = {**environment, **dict(agent.spec.variables), variables.ENV_HOME: str(home.directory)}
    env["PATH"] = os.pathsep.join([str(home.bin), env.get("PATH") or os.defpath])
    env["PWD"] = agent.spec.cwd
    return env | {name: value for name, value in _told(home, agent) if value is not None}


def _told(home: Home, agent: Agent) -> Iterator[tuple[str, str | None]]:
    """What an agent is told of itself."""
    spec = agent.spec
    yield variables.ENV_AGENT, agent.id
    yield variables.ENV_ATTEMPT, str(agent.attempt)
    yield variables.ENV_NAME, spec.name
    yield variables.ENV_GOAL, spec.goal
    yield variables.ENV_SKILL, spec.skill
    yield variables.ENV_TASK_ID, spec.task_id
    yield variables.ENV_MODEL, spec.model
    yield variables.ENV_RESULT, spec.result
    yield variables.ENV_OUTPUT_DIR, spec.output_dir
    if spec.runner:
        yield variables.ENV_RUNNER, spec.runner
        yield variables.ENV_REPORT, files_of(home, agent.id, agent.attempt).report
    if spec.worktree:
        yield variables.ENV_WORKTREE, str(home.worktrees / agent.id)


def _words(agent: Agent, env: Mapping[str, str]) -> list[str]:
    if agent.spec.runner:
        return [*_RUNNER, *agent.spec.command]
    words = [_program(agent, env), *agent.spec.command[1:]]
    return [*_RUNNER, *words] if agent.spec.worktree else words


def _program(agent: Agent, env: Mapping[str, str]) -> str:
    """The program's path, found here so that the shim's shell never mistakes it for one of its own words.

    What is relative is so to where the agent works and not to where we are, and stays so, to be meant there.
    """
    wanted = agent.spec.command[0]
    # An empty entry of PATH means where one stands (environ(7)).
    directories = [""] if "/" in wanted else [entry or "." for entry in env["PATH"].split(os.pathsep)]
    for directory in directories:
        found = os.path.join(directory, wanted)  # noqa: PTH118 - keeps `./` and bytes as they are
        path = os.path.join(agent.spec.cwd, found)  # noqa: PTH118
        if os.access(path, os.X_OK) and not os.path.isdir(path):  # noqa: PTH112
            return found
    raise Refused(f"cannot run {wanted!r}: no such program; give its path, or a PATH that has it")


def _check_directories(agent: Agent) -> None:
    if not os.path.isdir(agent.spec.cwd):  # noqa: PTH112
        raise Refused(f"cannot start in {agent.spec.cwd}: no such directory")
    wanted = [agent.spec.output_dir, os.path.dirname(agent.spec.result) if agent.spec.result else None]  # noqa: PTH120
    for directory in filter(None, wanted):
        try:
            Path(directory).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Refused(f"cannot make the output directory {directory}: {error.strerror}") from None
