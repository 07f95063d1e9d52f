"""`orchctl daemon stop`: stop the daemon, and keep, stop or drain its agents."""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import zmq

from orchctl import exit_codes
from orchctl.client.client import PATIENCE, Client
from orchctl.client.connection import milliseconds
from orchctl.daemon import inside, systemd
from orchctl.daemon.probe import is_running
from orchctl.errors import NoDaemonError, TimedOutError, UsageError
from orchctl.terminal import console
from orchd.instance.home import Home, default_home
from orchd.instance.service import log_of
from orchd.instance.system import locks
from orchd.protocol.errors import WireError

if TYPE_CHECKING:
    from orchctl.terminal.progress import Progress

_WAYS = {"keep_agents": "keep", "stop_agents": "stop", "drain": "drain"}
_NOBODY = {"living": 0, "agents": []}
_QUESTION = "agents still running: {living}. [k]eep them running, [s]top them, or [d]rain (wait for them)? "


def run(args: SimpleNamespace) -> int:
    """Stop the daemon and return when its process has ended; at once where no daemon is running.

    Prints `{living, agents}` with `--json`: how many agents were alive, and which keep running.
    """
    chosen = [way for name, way in _WAYS.items() if getattr(args, name)]
    if len(chosen) > 1:
        raise UsageError("--keep-agents, --stop-agents and --drain exclude each other: choose one")
    way = chosen[0] if chosen else None
    home = Home(default_home())
    # agents outlive a daemon that was killed: only another daemon can end them, or wait for their end
    must_run = way in ("stop", "drain") and not is_running(home) and bool(_living(home))
    if must_run:
        systemd.act(home, "start")
    with Client(home, starts=must_run) as client:
        try:
            pid = client.call("daemon")["pid"]
        except NoDaemonError:
            if must_run or is_running(home) or locks.holder(home.lock) is not None:  # a daemon that does not answer
                raise
            left = _living(home)
            lines = [f"no daemon is running for {home.directory}", *_going_on(left)]
            console.result({"living": len(left), "agents": left}, lines, as_json=args.json)
            return exit_codes.OK
    with Client(home, starts=False) as client:
        way = way or _chosen(client.call("limit")["living"], home)
        answer = end(client, pid, way)
    left = answer.get("agents", []) if way == "keep" else []
    console.result(answer, _going_on(left), as_json=args.json)
    return exit_codes.OK


def _going_on(agents: Sequence[str]) -> list[str]:
    return [f"agents that keep running: {', '.join(agents)}"] if agents else []


def _living(home: Home) -> list[str]:
    """Return the ids of the agents that are alive, without a daemon: such an agent holds the lock of its record."""
    locked = {path.name.partition(".")[0] for path in home.agents.glob("*.exit") if locks.is_locked(path)}
    return sorted(locked, key=lambda agent: (len(agent), agent))


def end(client: Client, pid: int, way: str) -> dict[str, Any]:
    """Shut down the daemon and return when its process has ended: `{living, agents}`, the agents alive before that.

    `way` is keep, stop or drain. Raises TimedOutError when the daemon keeps its agents and does not end in time.
    """
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return dict(_NOBODY)
    with ExitStack() as stack:
        stack.callback(os.close, process)
        answer: dict[str, Any] = client.call("stop", {"agents": way})
        # only an immediate shutdown has a limit: agents may take as long as they need
        until = time.monotonic() + PATIENCE if way == "keep" else math.inf
        line: Progress | None = None
        if console.is_for_people() and way != "keep":
            from orchctl.terminal.progress import Progress, of_drain

            line = Progress(client, of_drain)
            stack.callback(line.close)
        poller = zmq.Poller()
        for source in (process, *(line.sources() if line else ())):
            poller.register(source, zmq.POLLIN)
        while process not in dict(poller.poll(milliseconds(until, line.look() if line else None))):
            if time.monotonic() >= until:
                raise TimedOutError(f"the daemon did not shut down within {PATIENCE:.0f} s; see {log_of(client.home)}")
    return answer


def _chosen(living: int, home: Home) -> str:
    """Return the way to stop: keep when no agent is alive, otherwise the choice of the operator at the terminal."""
    if not living:
        return "keep"
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        if (evidence := inside.evidence(home)) is not None:  # no option would help
            raise WireError("forbidden", f"permission denied: agents cannot stop the daemon ({evidence})")
        raise UsageError(
            f"agents still running: {living}; choose --keep-agents (leave them running), --stop-agents (kill them) "
            "or --drain (wait for them)",
            details={"living": living},
        )
    ways = {way[0]: way for way in _WAYS.values()}
    answer = ""
    while answer not in ways:
        console.ask(_QUESTION.format(living=living))
        line = sys.stdin.readline()
        if not line:
            raise KeyboardInterrupt
        answer = line.strip().lower()[:1]
    return ways[answer]
