"""`orchctl daemon start|run|status|restart`. The module `stop` has `orchctl daemon stop`."""

from __future__ import annotations

import os
import select
import signal
from contextlib import ExitStack, suppress
from types import SimpleNamespace

from orchctl import exit_codes
from orchctl.client import Client
from orchctl.commands.daemon import stop
from orchctl.commands.daemon.config import valid_config
from orchctl.daemon import systemd
from orchctl.daemon.launcher import check_outside, command, ensure, environment
from orchctl.daemon.probe import is_running
from orchctl.doctor.machine import ENDS_WITH_IT
from orchctl.errors import NoDaemonError
from orchctl.render import text
from orchctl.terminal import console
from orchd.instance.home import Home, default_home
from orchd.instance.system import locks, own_cgroup, sockets

_QUICK = 3.0  # seconds for a daemon to answer, and to end


def start(args: SimpleNamespace) -> int:
    """Start a daemon if none is running, and print its status."""
    home = Home(default_home())
    check_outside(home)
    if is_running(home) or not systemd.act(home, "start"):
        ensure(home)
    code = status(args)
    if (holder := locks.holder(home.lock)) is not None and (
        scope := own_cgroup.passing_scope(holder.pid or "self")
    ) is not None:
        console.warn(f"the daemon is in {scope}: {ENDS_WITH_IT}; `orchctl service install` makes it a service")
    return code


def run(_: SimpleNamespace) -> int:
    """Replace this process by the daemon."""
    home = Home(default_home())
    check_outside(home)
    words = command(home)
    os.execve(words[0], words, environment())  # noqa: S606 - no shell is wanted


def status(args: SimpleNamespace) -> int:
    """Print the status of the running daemon."""
    with Client(starts=False) as client:
        answer = client.call("daemon")
    console.result(answer, [text.daemon(answer)], as_json=args.json)
    return exit_codes.OK


def restart(args: SimpleNamespace) -> int:
    """Replace the daemon by a new daemon, a service through systemd. Agents keep running."""
    home = Home(default_home())
    home.check()  # an error that keeps a daemon from starting must not end the daemon that serves
    valid_config(home)
    if systemd.act(home, "restart"):
        return status(args)
    has_ended = not is_running(home) and locks.holder(home.lock) is None
    if is_running(home):
        with suppress(NoDaemonError), Client(home, starts=False) as client:
            stop.end(client, client.call("daemon", patience=_QUICK)["pid"], "keep")
            has_ended = True
    if not has_ended:
        _kill(home)
    return start(args)


def _kill(home: Home) -> None:
    """Kill a daemon that does not answer: by SIGTERM, then by SIGKILL if it is still running. Agents survive both.

    Raises NoDaemonError when it is not known which process the daemon is.
    """
    holder = locks.holder(home.lock)
    pid = (holder.pid if holder else None) or sockets.listener(home.socket)
    if pid is None and locks.holder(home.lock) is not None:
        raise NoDaemonError(
            f"the daemon of {home.directory} does not answer, and its pid is unknown: `fuser {home.lock}` shows it"
        )
    if pid is None:
        return
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    with ExitStack() as stack, suppress(ProcessLookupError):
        stack.callback(os.close, process)
        holder = locks.holder(home.lock)
        if pid not in ((holder.pid if holder else None), sockets.listener(home.socket)):
            return  # the pid has passed on to another process
        for number in (signal.SIGTERM, signal.SIGCONT):
            signal.pidfd_send_signal(process, number)
        if not select.select([process], [], [], _QUICK)[0]:
            signal.pidfd_send_signal(process, signal.SIGKILL)
            select.select([process], [], [], _QUICK)
