"""The daemon as a service of systemd, seen from a client: which one it is, how it is, and asking for another state."""

from __future__ import annotations

import os
import re
import select
import shlex
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from orchctl.daemon.probe import is_running
from orchctl.errors import NoDaemonError, RefusedError
from orchd.instance import environment as variables
from orchd.instance.home import Home
from orchd.instance.service import Service, served_by

_SHOWN = (
    *("LoadState", "ActiveState", "SubState", "UnitFileState", "MainPID", "StatusText", "FragmentPath", "Job"),
    *("Result", "ExecStart", "Environment"),
)
_BOUND = 20.0  # seconds for a manager to show a unit: one that is starting may be slow
FAILED = "failed"
COMING = frozenset({"active", "activating", "reloading", "deactivating"})
_PAUSE = 0.1  # seconds: systemd tells of nothing that a client without D-Bus could wait for


def of(home: Home) -> Service | None:
    """The service that serves this home, unless its unit was taken away."""
    service = served_by(home)
    return service if service is not None and shown(service).get("LoadState") != "not-found" else None


def shown(service: Service, patience: float = _BOUND) -> Mapping[str, str]:
    """What its manager says of it: nothing when it does not answer. Without systemd there are no units."""
    try:
        done = _run(service, "show", *(f"--property={name}" for name in _SHOWN), patience=patience)
    except FileNotFoundError:
        return {"LoadState": "not-found"}
    except subprocess.TimeoutExpired:
        return {}
    return dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)


def home_in(found: Mapping[str, str]) -> str | None:
    """The home in the environment of a unit as `shown` has it; None where the unit names none."""
    for pair in shlex.split(found.get("Environment", "")):
        name, _, value = pair.partition("=")
        if name == variables.ENV_HOME:
            return value
    return None


def is_back(home: Home, service: Service, patience: float) -> bool:
    """True once the service's daemon runs, for as long as its manager is about to start it.

    Raises NoDaemonError when somebody has stopped it: whoever stops a service wants no other daemon in its place.
    """
    until = time.monotonic() + patience
    while not is_running(home):
        now = shown(service)
        state = now.get("ActiveState", "out of reach")
        if not (state in COMING or now.get("Job")) or time.monotonic() > until:
            why = f": {now['StatusText']}" if state == FAILED and now.get("StatusText") else ""
            raise NoDaemonError(
                f"no daemon runs for {home.directory}: it is the service {service.unit}, which is {state}{why}; "
                f"{' and '.join(f'`{command}`' for command in revival(service, state))} starts it, "
                f"`{service.log}` says more"
            )
        select.select([], [], [], _PAUSE)
    return True


def revival(service: Service, state: str) -> list[str]:
    """The commands that start a service which is in this state. A user's own needs no more than ours."""
    if service.scope == "user":
        return ["orchctl daemon start"]
    return [service.says(verb) for verb in (("reset-failed", "start") if state == FAILED else ("start",))]


def act(home: Home, verb: str) -> bool:
    """Have systemd start or restart it, and return when it is done; False where the home has no service.

    A unit that was started too often is started only after its counter was reset. Raises RefusedError.
    """
    service = of(home)
    if service is None:
        return False
    if shown(service).get("ActiveState") == FAILED:
        demand(service, "reset-failed")
    try:
        demand(service, verb)
    except RefusedError as error:
        why = shown(service).get("StatusText")
        raise RefusedError(f"{error.message}{f': {why}' if why else ''}", code=error.code) from None
    return True


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


def _run(service: Service, *words: str, patience: float | None = None) -> subprocess.CompletedProcess[str]:
    command = [word for word in service.systemctl("--no-ask-password", *words) if word]
    return subprocess.run(
        command,
        env=_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=patience,
    )


def _environment() -> dict[str, str]:
    """A login shell knows where the user's manager listens; cron does not, and `su` keeps another user's place."""
    variables = {**os.environ, "LC_ALL": "C"}
    runtime = Path(f"/run/user/{os.getuid()}")
    if not _is_ours(variables.get("XDG_RUNTIME_DIR")) and _is_ours(runtime):
        variables["XDG_RUNTIME_DIR"] = str(runtime)
        variables.pop("DBUS_SESSION_BUS_ADDRESS", None)
    return variables


def _is_ours(directory: str | Path | None) -> bool:
    try:
        return bool(directory) and os.stat(str(directory)).st_uid == os.getuid()  # noqa: PTH116
    except OSError:
        return False
