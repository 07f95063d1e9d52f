"""Making one attempt's process: its files, its descriptors, its environment, its shim."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import NamedTuple

from orchd.core.model import Agent
from orchd.procs import shim
from orchd.procs.procfs import BOOT, SHORTAGE
from orchd.wire import Home, variables

# Who stands between the shim and the agent where the agent is more than a command. It is of the client's package, and
# neither the directory it starts in nor the agent's PYTHON* variables may change what it is.
_RUNNER = (sys.executable, "-E", "-P", "-m", "orchctl.runners")
# What Python and we ignore, the agent must not inherit as ignored.
_DEFAULTED = sorted(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})
_HIGH = 10  # above every descriptor that the shim is given, so that none is overwritten on the way


class Refused(Exception):
    """The agent's own request cannot be met on this machine: no such program, directory or file."""


class Launched(NamedTuple):
    """A shim behind its gate."""

    pid: int
    gate: int


class Files(NamedTuple):
    """Where an attempt keeps what outlives the daemon."""

    stem: str

    @property
    def log(self) -> str:
        """All that the agent puts out."""
        return f"{self.stem}.log"

    @property
    def report(self) -> str:
        """What its runner said of it, when it has one that can tell."""
        return f"{self.stem}.report"

    @property
    def record(self) -> str:
        """How it ended, written by the shim and locked as long as that lives: no pid has to be trusted."""
        return f"{self.stem}.exit"

    def room(self) -> int:
        """Bytes on the disk that they take."""
        found = 0
        for path in (self.log, self.record, self.report):
            with suppress(OSError):
                found += os.stat(path).st_blocks * 512  # noqa: PTH116 - its paths are strings
        return found

    def remove(self) -> None:
        """Leave nothing of an attempt."""
        for path in (self.log, self.record, self.report):
            with suppress(OSError):
                os.unlink(path)  # noqa: PTH108 - its paths are strings


def files_of(home: Home, agent: str, attempt: int) -> Files:
    """The files of an attempt, whether they exist or not."""
    return Files(f"{home.agents}/{agent}.{attempt}")


def launch(home: Home, agent: Agent, environment: Mapping[str, str], door: int | None) -> Launched:
    """Start the shim, which goes into a cgroup by its `door`.

    Raises Refused for what the agent asked in vain, OSError for what the machine cannot do.
    """
    files = files_of(home, agent.id, agent.attempt)
    env = environment_of(home, agent, environment)
    _check_directories(agent)
    argv = _argv(agent, env)
    opened: list[int] = []
    try:
        record = _record(opened, files.record)
        log = _open(opened, files.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        stdin = _open_stdin(opened, agent)
        read, write = os.pipe()
        opened.append(read)
        moves = [(stdin, 0), (log, 1), (log, 2), (read, shim.GATE), (record, shim.RECORD)]
        if door is not None:
            moves.append((door, shim.CGROUP))
        try:
            pid = _spawn(opened, agent, _shim(agent, argv, door), env, moves)
        except BaseException:
            os.close(write)
            raise
        _expose(pid)
    finally:
        for descriptor in opened:
            os.close(descriptor)
    return Launched(pid, write)


def _expose(pid: int) -> None:
    """What protects us when memory runs out protects no agent; nothing has forked from the shim yet."""
    if _oom_score() < 0:
        with suppress(OSError):
            Path(f"/proc/{pid}/oom_score_adj").write_text("0", encoding="ascii")


@cache
def _oom_score() -> int:
    """Our own, which was set before we began."""
    try:
        return int(Path("/proc/self/oom_score_adj").read_text(encoding="ascii"))
    except OSError:
        return 0


def _record(opened: list[int], path: str) -> int:
    """The record, locked and begun."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    try:
        record = _open(opened, path, flags)
    except FileNotFoundError:  # somebody has deleted the directory that holds all of them
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)  # noqa: PTH103, PTH120
        record = _open(opened, path, flags)
    fcntl.flock(record, fcntl.LOCK_EX | fcntl.LOCK_NB)
    if os.fstat(record).st_size:  # left by a daemon that died before it wrote the attempt down
        os.ftruncate(record, 0)
    os.write(record, BOOT + b"\n")
    return record


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


def _shim(agent: Agent, argv: list[str], door: int | None) -> list[str]:
    script = shim.SCRIPT if door is None else shim.SCRIPT_IN_CGROUP
    return [shim.SHELL, "-c", script, f"orchd-{agent.id}.{agent.attempt}", *argv]


def _argv(agent: Agent, env: Mapping[str, str]) -> list[str]:
    if agent.spec.runner:
        return [*_RUNNER, *agent.spec.command]
    argv = [_program(agent, env), *agent.spec.command[1:]]
    return [*_RUNNER, *argv] if agent.spec.worktree else argv


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


def _open_stdin(opened: list[int], agent: Agent) -> int:
    path = agent.spec.stdin or os.devnull
    try:
        descriptor = _open(opened, path, os.O_RDONLY | os.O_NONBLOCK)  # a FIFO without a writer must not block us
    except OSError as error:
        if error.errno in SHORTAGE:
            raise
        raise Refused(f"cannot read {path} as its stdin: {error.strerror}") from None
    os.set_blocking(descriptor, True)
    return descriptor


def _open(opened: list[int], path: str, flags: int) -> int:
    descriptor = os.open(path, flags | os.O_CLOEXEC, 0o600)
    opened.append(descriptor)
    return descriptor


def _spawn(
    opened: list[int], agent: Agent, words: list[str], env: Mapping[str, str], moves: list[tuple[int, int]]
) -> int:
    actions = []
    for source, target in moves:
        if source < _HIGH:
            source = fcntl.fcntl(source, fcntl.F_DUPFD_CLOEXEC, _HIGH)  # noqa: PLW2901 - the same file
            opened.append(source)
        actions.append((os.POSIX_SPAWN_DUP2, source, target))
    here = os.open(".", os.O_PATH)
    opened.append(here)
    try:
        os.chdir(agent.spec.cwd)
    except OSError as error:
        raise Refused(f"cannot start in {agent.spec.cwd}: {error.strerror}") from None
    try:
        return os.posix_spawn(
            shim.SHELL,
            words,
            env,
            file_actions=actions,
            setsid=True,
            setsigmask=(),
            setsigdef=_DEFAULTED,
        )
    finally:
        os.fchdir(here)
