"""`orchctl daemon start|run|status|restart`: the daemon's life. How it ends is in `stop`."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any

from orchctl import exits, out, render, services
from orchctl.client import Client
from orchctl.commands import stop
from orchctl.errors import NoDaemonError
from orchctl.start import check_outside, command, ensure, environment, is_running
from orchd.wire import Home, default_home


def start(args: SimpleNamespace) -> int:
    """Start a daemon if none runs, and show the one that does."""
    home = Home(default_home())
    check_outside(home)
    if is_running(home) or not services.act(home, "start"):
        ensure(home)
    return status(args)


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
    out.result(answer, [render.daemon(answer)], as_json=args.json)
    return exits.OK


def restart(args: SimpleNamespace) -> int:
    """A new daemon in place of the old one; agents go on meanwhile. A service stays one."""
    if services.act(Home(default_home()), "restart"):
        return status(args)
    with Client(starts=False) as client:
        try:
            old: dict[str, Any] | None = client.call("daemon")
        except NoDaemonError:
            old = None
        if old is not None:
            stop.end(client, old["pid"], "keep")
    return start(args)
