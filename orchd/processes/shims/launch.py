"""Starts a shim for one attempt with its descriptors and environment."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path

from orchd.core.state.agents import Agent
from orchd.instance.environment import ENV_HOME
from orchd.processes.attempt_files import AttemptFiles
from orchd.processes.launching import handover
from orchd.processes.launching.command import AgentCommand, Refused
from orchd.processes.linux import descriptors
from orchd.processes.linux.cgroups import Cgroup
from orchd.processes.linux.procfs import SHORTAGE
from orchd.processes.shims import script as shim

# What Python and we ignore, the agent must not inherit as ignored.
_DEFAULTED = sorted(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})
_HIGH = 10  # above every descriptor that the shim is given, so that none is overwritten on the way


def launch(agent: Agent, command: AgentCommand, files: AttemptFiles, cgroup: Cgroup | None) -> tuple[int, int]:
    """Start a shim, which enters the cgroup. Returns its pid, and our end of its gate.

    Raises Refused when the request cannot be met here, OSError for what the machine cannot do.
    """
    descriptors.check_for_attempt()
    script = shim.SCRIPT if cgroup is None else shim.SCRIPT_IN_CGROUP
    first, words = {}, [shim.SHELL, "-c", script, f"orchd-{files.name}", *command.words]
    if cgroup is not None and command.carried is not None:  # it may serve other attempts: its words show none of them
        first = {handover.FIRST: files.name, handover.WORDS: command.carried}
        words = [shim.SHELL, "-c", script, shim.LABEL]
    opened: list[int] = []
    try:
        record = _kept(opened, files.open_record())
        log = _kept(opened, files.open_log())
        path = agent.spec.stdin or os.devnull
        try:  # a FIFO without a writer must not block us
            stdin = _kept(opened, os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))
        except OSError as error:
            if error.errno in SHORTAGE:
                raise
            raise Refused(f"cannot read {path} as its stdin: {error.strerror}") from None
        os.set_blocking(stdin, True)
        ours, its = (end.detach() for end in socket.socketpair())
        opened.append(its)
        moves = [(stdin, 0), (log, 1), (log, 2), (its, shim.GATE), (record, shim.RECORD)]
        if cgroup is not None:
            moves.append((cgroup.door(), shim.CGROUP))
        try:
            env = _environment(agent, command, files, first, is_marked=cgroup is None)
            pid = _spawn(opened, words, env, moves)
        except BaseException:
            os.close(ours)
            raise
        _expose(pid)
        descriptors.restore_for(pid)
    finally:
        for descriptor in opened:
            os.close(descriptor)
    return pid, ours


def _environment(
    agent: Agent, command: AgentCommand, files: AttemptFiles, first: dict[str, str], *, is_marked: bool
) -> dict[str, str]:
    """Return the variables of a shim: slots for its agent, and markers by which a tree is known without a cgroup.
    In a cgroup a shim has no markers, since it may serve another agent later."""
    variables = command.variables
    marks = handover.MARKS if is_marked else {ENV_HOME}
    return {
        **{name: variables[name] for name in marks},
        **handover.shim_environment(command.slots, variables),
        **first,
        handover.DIRECTORY: agent.spec.cwd,
        handover.BEGIN: command.begin,
        handover.LOGS: files.directory,
        handover.LIMITS: command.limits,
    }


def _expose(pid: int) -> None:
    """Reset oom_score_adj of a shim that has not forked yet: the protection of the daemon does not pass to agents."""
    if _oom_score() < 0:
        with suppress(OSError):
            Path(f"/proc/{pid}/oom_score_adj").write_text("0", encoding="ascii")


@cache
def _oom_score() -> int:
    """Return the oom_score_adj of the daemon, which was set before it began."""
    try:
        return int(Path("/proc/self/oom_score_adj").read_text(encoding="ascii"))
    except OSError:
        return 0


def _kept(opened: list[int], descriptor: int) -> int:
    opened.append(descriptor)
    return descriptor


def _spawn(opened: list[int], words: list[str], env: Mapping[str, str], moves: list[tuple[int, int]]) -> int:
    actions = []
    for source, target in moves:
        if source < _HIGH:
            source = fcntl.fcntl(source, fcntl.F_DUPFD_CLOEXEC, _HIGH)  # noqa: PLW2901 - the same file
            opened.append(source)
        actions.append((os.POSIX_SPAWN_DUP2, source, target))
    return os.posix_spawn(
        shim.SHELL,
        words,
        env,
        file_actions=actions,
        setsid=True,
        setsigmask=(),
        setsigdef=_DEFAULTED,
    )
