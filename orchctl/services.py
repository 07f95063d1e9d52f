"""The daemon as a service of systemd, seen from a client: which one it is, how it is, and asking for another state."""

from __future__ import annotations

import os
import re
import select
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from orchctl.errors import NoDaemonError, RefusedError
from orchctl.start import is_running
from orchd.wire import Home, Service, served_by

_SHOWN = ("LoadState", "ActiveState", "SubState", "UnitFileState", "MainPID", "StatusText", "FragmentPath", "Job")
_COMING = frozenset({"active", "activating", "reloading", "deactivating"})
_PAUSE = 0.1  # seconds: systemd tells of nothing that a client without D-Bus could wait for


def of(home: Home) -> Service | None:
    """The service that serves this home, unless its unit was taken away."""
    service = served_by(home)
    return service if service is not None and shown(service).get("LoadState") != "not-found" else None


def shown(service: Service) -> Mapping[str, str]:
    """What its manager says of it: nothing when it does not answer. Without systemd there are no units."""
    try:
        done = _run(service, "show", *(f"--property={name}" for name in _SHOWN))
    except FileNotFoundError:
        return {"LoadState": "not-found"}
    return dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)


def is_back(home: Home, service: Service, patience: float) -> bool:
    """True once the service's daemon runs, for as long as its manager is about to start it.

    Raises NoDaemonError when somebody has stopped it: whoever stops a service wants no other daemon in its place.
    """
    until = time.monotonic() + patience
    while not is_running(home):
        now = shown(service)
        state = now.get("ActiveState", "out of reach")
        if not (state in _COMING or now.get("Job")) or time.monotonic() > until:
            raise NoDaemonError(
                f"no daemon runs for {home.directory}: it is the service {service.unit}, which is {state}; "
                f"`{service.says('start')}` starts it, `{service.log}` says more"
            )
        select.select([], [], [], _PAUSE)
    return True


def act(home: Home, verb: str) -> bool:
    """Have systemd do it and return when it is done; False where the home has no service."""
    service = of(home)
    if service is not None:
        demand(service, verb)
    return service is not None


def demand(service: Service, *words: str) -> None:
    """`systemctl WORDS UNIT`. Raises RefusedError with what it said."""
    try:
        done = _run(service, *words)
    except FileNotFoundError:
        raise RefusedError("this machine has no systemctl; `orchctl daemon start` needs none", code="service") from None
    if done.returncode:
        said = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
        more = f"; `{service.log}` says more" if service.unit else ""
        raise RefusedError(f"`{service.says(*words).rstrip()}` failed: {said}{more}", code="service")


def reload(scope: str) -> None:
    """Let the manager read its units again."""
    demand(Service(scope, ""), "daemon-reload")


def version(scope: str) -> int:
    """Of its systemd; 0 when it does not say."""
    said = re.match(r"systemd (\d+)", _run(Service(scope, ""), "--version").stdout)
    return int(said[1]) if said else 0


def _run(service: Service, *words: str) -> subprocess.CompletedProcess[str]:
    command = [word for word in service.systemctl("--no-ask-password", *words) if word]
    return subprocess.run(
        command, env=_environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


def _environment() -> dict[str, str]:
    """A login shell knows where the user's manager listens; cron and `su` do not say it."""
    runtime = Path(f"/run/user/{os.getuid()}")
    return {**({"XDG_RUNTIME_DIR": str(runtime)} if runtime.is_dir() else {}), **os.environ, "LC_ALL": "C"}
