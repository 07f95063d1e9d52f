"""`orchctl daemon start|run|status|restart`: the daemon's life. How it ends is in `stop`."""

from __future__ import annotations

import os
import select
import signal
from contextlib import suppress
from types import SimpleNamespace

from orchctl import exit_codes
from orchctl.client import Client
from orchctl.commands.daemon import stop
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
    """Start a daemon if none runs, and show the one that does."""
    home = Home(default_home())
    check_outside(home)
    if is_running(home) or not systemd.act(home, "start"):
        ensure(home)
    code = status(args)
    if (pid := locks.holder(home.lock)) is not None and (
        found := own_cgroup.passing_scope(pid.pid or "self")
    ) is not None:
        console.warn(f"the daemon is in {found}: {ENDS_WITH_IT}; `orchctl service install` makes it a service")
    return code


def run(_: SimpleNamespace) -> int:
    """Become the daemon."""
    home = Home(default_home())
    check_outside(home)
    words = command(home)
    os.execve(words[0], words, environment())  # noqa: S606 - no shell is wanted


def status(args: SimpleNamespace) -> int:
    """Show who answers."""
    with Client(starts=False) as client:
        answer = client.call("daemon")
    console.result(answer, [text.daemon(answer)], as_json=args.json)
    return exit_codes.OK


def restart(args: SimpleNamespace) -> int:
    """A new daemon in place of the old one; agents go on meanwhile. A service stays one."""
    home = Home(default_home())
    home.check()  # what keeps a daemon from starting must not end the one that serves
    if systemd.act(home, "restart"):
        return status(args)
    if is_running(home) or locks.holder(home.lock) is not None:
        _end(home)
    return start(args)


def _end(home: Home) -> None:
    """End the daemon, also one that does not answer. Raises NoDaemonError when it is not known which process it is."""
    if is_running(home):
        with suppress(NoDaemonError), Client(home, starts=False) as client:
            stop.end(client, client.call("daemon", patience=_QUICK)["pid"], "keep")
            return
    held = locks.holder(home.lock)
    pid = (held.pid if held else None) or sockets.listener(home.socket)
    if pid is None and locks.holder(home.lock) is not None:
        raise NoDaemonError(
            f"the daemon of {home.directory} does not answer, and its pid is not known: `fuser {home.lock}` shows it"
        )
    if pid is not None:
        _kill(pid, home)


def _kill(pid: int, home: Home) -> None:
    """End a daemon that does not answer: by SIGTERM, and by SIGKILL when it is still there. Agents outlive both."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        if not _is_daemon(pid, home):
            return
        for number in (signal.SIGTERM, signal.SIGCONT):
            signal.pidfd_send_signal(process, number)
        if not select.select([process], [], [], _QUICK)[0]:
            signal.pidfd_send_signal(process, signal.SIGKILL)
            select.select([process], [], [], _QUICK)
    except ProcessLookupError:
        return
    finally:
        os.close(process)


def _is_daemon(pid: int, home: Home) -> bool:
    """Whether this process still holds the lock or the socket: a pid may have passed on."""
    held = locks.holder(home.lock)
    return pid in ((held.pid if held else None), sockets.listener(home.socket))
