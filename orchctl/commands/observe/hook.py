"""`orchctl hook`: run a command for each agent and run that ends, and for stalls. It never starts a daemon."""

from __future__ import annotations

import shutil
from contextlib import closing, suppress
from pathlib import Path
from types import SimpleNamespace

from orchctl import exit_codes
from orchctl.client import Client
from orchctl.errors import NoDaemonError, RefusedError, UsageError


def run(args: SimpleNamespace) -> int:
    """Run the command for each end until interrupted; with `--once` only for ends since the last call."""
    from filelock import FileLock, Timeout

    from orchctl.client.subscription import Subscription
    from orchctl.exporters.hook import Hook, Position

    if not args.command or args.position is None:
        raise UsageError("give a command, and a file for its position: hook --position FILE -- COMMAND [ARG]...")
    if shutil.which(args.command[0]) is None:
        raise UsageError(f"no such program: {args.command[0]!r}; give a program on PATH, or a path")
    path = Path(args.position).absolute()
    try:
        with (
            FileLock(f"{path}.lock", timeout=0),
            Client(starts=False) as client,
            closing(Subscription(client.context, client.target)) as news,
        ):
            position = Position(path)
            hook = Hook(args.command, position, position.read(client))
            hook.catch_up(client)
            while not args.once:
                news.wait()
                with suppress(NoDaemonError):
                    hook.catch_up(client)
    except Timeout:
        raise RefusedError(f"another process uses the position file {path}; give another file", code="in-use") from None
    return exit_codes.OK
