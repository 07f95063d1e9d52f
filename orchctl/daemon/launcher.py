"""The start of the daemon: exactly once, also when many clients need it at the same time."""

from __future__ import annotations

import os
import select
import sys
import time

from orchctl.daemon.probe import is_running
from orchctl.errors import NoDaemonError
from orchd.instance import environment as variables
from orchd.instance import home as homes
from orchd.instance.home import Home, HomeError
from orchd.instance.system import inherited, locks
from orchd.instance.system import open_file as opening

PATIENCE = 30.0  # seconds for a daemon to be ready
_SILENCE = 10.0  # seconds for a daemon that holds the lock to answer or to end: it may be starting or stopping
_PAUSE = 0.05  # seconds between two looks at a lock: no event reports that a lock is free
_TURN = 35.0  # seconds for another client to finish its start of the daemon

# The daemon must be an orphan: then its starter need not wait for it, and the end of an agent's process tree does not
# reach it. A shell's `&` would do the same but leave SIGINT ignored, for all agents to inherit.
_ORPHAN = "import os, sys\nif os.fork() == 0: os.execv(sys.argv[1], sys.argv[1:])"

# Where this command runs in another service, these variables are for that service and not for the daemon.
_OF_OUR_SERVICE = frozenset({"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"})


def ensure(home: Home) -> bool:
    """Return when a daemon answers: True if this call started it. Raises NoDaemonError or HomeError.

    Inside an agent no daemon is started.
    """
    from filelock import FileLock, Timeout

    check_outside(home)
    home.create()
    try:
        with FileLock(home.start_lock, timeout=_TURN, mode=0o600):
            if is_running(home) or is_held(home) or is_awaited(home):
                return False
            return _start(home)
    except Timeout:
        raise NoDaemonError(f"another process is starting the daemon of {home.directory} and does not finish") from None
    except OSError as error:
        raise HomeError(
            f"cannot write {error.filename or home.directory}: {error.strerror}; {homes.way_out(error)}"
        ) from None


def is_held(home: Home, patience: float = _SILENCE) -> bool:
    """Wait for a daemon that holds the lock and does not listen: True when it listens, False when the lock is free.

    Such a daemon is starting, or stopping, or binds its sockets again after they were removed. Raises NoDaemonError
    when it does none of these in time.
    """
    until = time.monotonic() + patience
    while (holder := locks.holder(home.lock)) is not None:
        if is_running(home):
            return True
        if time.monotonic() > until:
            raise NoDaemonError(
                f"the daemon of {home.directory} ({holder}) is running but does not listen on {home.socket}: it hangs; "
                "restart it with `orchctl daemon restart`; agents keep running"
            )
        select.select([], [], [], _PAUSE)
    return False


def check_outside(home: Home) -> None:
    """Raise NoDaemonError when no daemon runs and this process is inside an agent, which must not start one."""
    from orchctl.daemon import inside

    evidence = inside.evidence(home)
    if evidence is not None and not is_running(home):
        raise NoDaemonError(
            f"no daemon is running for {home.directory}, and an agent may not start it ({evidence}). "
            "Start it outside of agents with `orchctl daemon start`"
        )


def is_awaited(home: Home) -> bool:
    """Return whether a service has started the daemon; False for a home without a service. Raises NoDaemonError."""
    from orchctl.daemon import systemd

    service = systemd.of(home)
    return service is not None and systemd.is_back(home, service, PATIENCE)


def command(home: Home) -> list[str]:
    """Return the daemon's program and arguments."""
    return [sys.executable, "-m", "orchd", "--home", str(home.directory)]


def environment() -> dict[str, str]:
    """Return this environment without the variables of an agent, as a daemon belongs to none."""
    return {key: value for key, value in os.environ.items() if key not in variables.OF_ONE_AGENT}


def for_agents() -> dict[str, str]:
    """Return the variables for agents that this process spawns."""
    return inherited.without_descriptors(environment())


def _start(home: Home) -> bool:
    """Start the daemon. False when another daemon answers, whose starter did not wait for it."""
    import subprocess

    log = opening.open_file(home.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    log_size = os.lseek(log, 0, os.SEEK_END)
    ready, reply = os.pipe()
    try:
        # an orphan process, which writes to `reply` when it is ready
        subprocess.run(
            [sys.executable, "-I", "-S", "-c", _ORPHAN, *command(home), "--ready-fd", str(reply)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env={name: value for name, value in environment().items() if name not in _OF_OUR_SERVICE},
            pass_fds=(reply,),
            start_new_session=True,
            umask=0o077,
            check=True,
        )
    finally:
        os.close(reply)
        os.close(log)
    try:
        line = _first_line(ready)
    finally:
        os.close(ready)
    if line == "ready":
        return True
    if is_running(home):
        return False
    why = line.removeprefix("error: ")
    if not why:
        with os.fdopen(opening.open_file(home.log, os.O_RDONLY), "rb") as file:
            file.seek(max(log_size, file.seek(0, os.SEEK_END) - 4096))
            lines = file.read().decode(errors="replace").split("\n")
        why = " / ".join(line.strip() for line in lines if line.strip())[-500:] or "it exited without a message"
    raise NoDaemonError(f"the daemon did not start: {why} (log: {home.log})")


def _first_line(ready: int) -> str:
    """Return the line that the daemon writes when it is ready or gives up; empty if it exited before."""
    poll = select.poll()
    poll.register(ready, select.POLLIN)
    deadline = time.monotonic() + PATIENCE
    line = b""
    while not line.endswith(b"\n"):
        if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            return f"error: it was not ready after {PATIENCE:.0f} s"
        more = os.read(ready, 4096)
        if not more:
            break
        line += more
    return line.decode(errors="replace").strip()
