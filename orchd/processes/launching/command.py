"""The command of an attempt: its words, its variables and the directories that they need."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from orchd.core.state.agents import Agent, ProcessAttributes
from orchd.instance import environment as variables
from orchd.instance.home import Home
from orchd.processes.attempt_files import files_of
from orchd.processes.launching import handover
from orchd.processes.launching.attributes import PRIVATE, filled, staged_limits
from orchd.processes.launching.programs import NotRunnableError, find
from orchd.processes.linux.procfs import SHORTAGE

# The program between the shim and an agent that is more than a command. It is of the client's package, and neither the
# directory it starts in nor the agent's PYTHON* variables may change what it is.
_RUNNER = (sys.executable, "-E", "-P", "-m", "orchctl.runners")

_LONGEST = 32 * os.sysconf("SC_PAGE_SIZE")  # MAX_ARG_STRLEN of execve(2): bytes of one string with its final zero


class Refused(Exception):
    """The agent's own request cannot be met on this machine: no such program, directory or file."""


_NO_CHANGE = ProcessAttributes()


class AgentCommand(NamedTuple):
    """The command that a shim starts, and how its variables are passed."""

    words: list[str]
    variables: dict[str, str]
    slots: handover.Slots
    is_staged: bool  # whether a program stands between shim and agent that does what a shell cannot
    attributes: ProcessAttributes
    limits: str  # resource limits that are too low for its shim
    carried: str | None  # its words in one variable, where its shim may serve others too

    @property
    def begin(self) -> str:
        """Return the shell code by which a new shim begins this agent and later ones."""
        umask = PRIVATE if self.attributes.umask is None else self.attributes.umask
        return handover.begin(self.slots, umask=umask, is_staged=self.is_staged)


def command(words: list[str], variables: dict[str, str], attributes: ProcessAttributes = _NO_CHANGE) -> AgentCommand:
    """Return a command with these words, variables and attributes."""
    slots = handover.slots_of(variables)
    # /usr/bin/env, which may be needed for one variable, would take such a program for another variable
    limits = staged_limits(attributes)
    is_staged = (
        bool(limits) or ("=" in words[0] and handover.BY_BASH in variables) or not all(map(handover.can_export, slots))
    )
    return AgentCommand(words, variables, slots, is_staged, attributes, limits, handover.carried(words))


def command_of(home: Home, agent: Agent, environment: Mapping[str, str], defaults: ProcessAttributes) -> AgentCommand:
    """Return the command of an attempt and create its directories. Raises Refused, also for words and variables that
    are too long for the kernel."""
    spec, env = agent.spec, environment_of(home, agent, environment)
    attributes = filled(spec.attributes, defaults)
    _check_directories(agent, PRIVATE if attributes.umask is None else attributes.umask)
    if spec.runner:
        words = [*_RUNNER, *spec.command]
    else:
        try:
            # The path of the program, so that the shim's shell never mistakes it for one of its own words. A relative
            # path is relative to where the agent works.
            program = find(spec.command[0], spec.cwd, env["PATH"])
        except NotRunnableError as error:
            raise Refused(str(error)) from None
        words = [*(_RUNNER if spec.worktree else ()), program, *spec.command[1:]]
    agent_command = command(words, env, attributes)
    for number, word in enumerate(words, start=len(spec.command) - len(words)):
        if (size := _size(word)) > _LONGEST:
            way_out = "write it to a file and give the path, or pass it with --stdin"
            raise Refused(_too_long(f"argument {number} of its command", size, way_out))
    longest = max((len(name) + len(value) for name, value in env.items()), default=0)
    if 4 * longest < _LONGEST // 2:  # no character has more bytes, and the name of a slot is short
        return agent_command
    for number, name in enumerate(agent_command.slots):
        value = agent_command.variables.get(name, "")
        if (size := _size(f"{handover.slot(number)}={name}=", value)) > _LONGEST:
            way_out = "write its value to a file and give the path, or unset the variable"
            raise Refused(_too_long(f"the variable {name}", size, f"{way_out} (`env -u {name} orchctl ...`)"))
    return agent_command


def _size(*parts: str) -> int:
    """Return the bytes of a string for execve(2), its final zero included; 0 if it is short in any encoding."""
    if 4 * sum(map(len, parts)) < _LONGEST:  # no character has more bytes
        return 0
    return len(os.fsencode("".join(parts))) + 1


def _too_long(what: str, size: int, way_out: str) -> str:
    return f"cannot start: {what} takes {size:,} bytes, and the kernel passes at most {_LONGEST:,} in one: {way_out}"


def environment_of(home: Home, agent: Agent, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the client's environment with the variables of the agent and `orchctl` on its PATH."""
    spec = agent.spec
    env = {**environment, **dict(spec.variables), variables.ENV_HOME: str(home.directory)}
    env["PATH"] = os.pathsep.join([str(home.bin), env.get("PATH") or os.defpath])
    env["PWD"] = _kept_pwd(env.get("PWD", ""), spec.cwd)
    own = {
        variables.ENV_AGENT: agent.id,
        variables.ENV_ATTEMPT: str(agent.attempt),
        variables.ENV_RESUME_SESSION: agent.resumes,
        variables.ENV_NAME: spec.name,
        variables.ENV_GOAL: spec.goal,
        variables.ENV_SKILL: spec.skill,
        variables.ENV_TASK_ID: spec.task_id,
        variables.ENV_MODEL: spec.model,
        variables.ENV_RESULT: spec.result,
        variables.ENV_OUTPUT_DIR: spec.output_dir,
        variables.ENV_RUNNER: spec.runner or None,
        variables.ENV_REPORT: files_of(home, agent.id, agent.attempt).report if is_reported(agent) else None,
    }
    if spec.worktree:
        before = [blocker for blocker in spec.after if (home.worktrees / f"{blocker}.json").exists()]
        own[variables.ENV_WORKTREE] = str(home.worktrees / agent.id)
        own[variables.ENV_BASE] = spec.base
        own[variables.ENV_BEFORE] = ",".join(before) or None
    return env | {name: value for name, value in own.items() if value is not None}


def _kept_pwd(path: str, cwd: str) -> str:
    """Return `path` if it is a PWD that a POSIX shell would keep in `cwd`, and otherwise `cwd`.

    It is kept if it is absolute, contains neither `.` nor `..`, and names the same directory, by symbolic links or not.
    """
    if path == cwd or not path.startswith("/") or not {".", ".."}.isdisjoint(path.split("/")):
        return cwd
    try:
        is_same = os.path.samestat(os.stat(path), os.stat(cwd))  # noqa: PTH116 - these are strings
    except (OSError, ValueError):
        return cwd
    return path if is_same else cwd


def is_reported(agent: Agent) -> bool:
    """Return whether a runner program between shim and agent reports why it did not complete."""
    return agent.spec.runner is not None or agent.spec.worktree


def _check_directories(agent: Agent, umask: int) -> None:
    """Create the directories of results. Raises Refused when that fails, or the working directory cannot be entered."""
    try:
        os.stat(f"{agent.spec.cwd}/.")  # noqa: PTH116 - to look up a name in it takes the right to enter it
    except OSError as error:
        if error.errno in SHORTAGE:
            raise
        wrong = "no such directory" if error.errno in (errno.ENOENT, errno.ENOTDIR) else error.strerror
        raise Refused(f"cannot start in {agent.spec.cwd}: {wrong}") from None
    directories = [agent.spec.output_dir, os.path.dirname(agent.spec.result) if agent.spec.result else None]  # noqa: PTH120
    for directory in filter(None, directories):
        path = Path(directory)
        try:  # it and what is missing above it, as a process with this umask would
            missing = [level for level in (path, *path.parents) if not level.exists()]
            path.mkdir(parents=True, exist_ok=True)
            for level in missing:
                level.chmod(0o777 & ~umask)
        except OSError as error:
            raise Refused(f"cannot create the output directory {directory}: {error.strerror}") from None
