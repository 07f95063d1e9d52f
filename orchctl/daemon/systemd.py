"""The daemon as a service of systemd, from a client: its unit, its state, and changes of the state."""

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

_PROPERTIES = (
    *("LoadState", "ActiveState", "SubState", "UnitFileState", "MainPID", "StatusText", "FragmentPath", "Job"),
    *("Result", "ExecStart", "Environment"),
)
_BOUND = 20.0  # seconds for a manager to show a unit: it may be slow while the unit starts
FAILED = "failed"
COMING = frozenset({"active", "activating", "reloading", "deactivating"})
_NO_MANAGER = re.compile("Failed to connect to .*bus|not been booted with systemd", re.IGNORECASE)
_MANAGERS = {"user": "systemd user manager", "system": "systemd"}
_PAUSE = 0.1  # seconds between two looks: without D-Bus a client cannot wait for an event of systemd


def of(home: Home) -> Service | None:
    """Return the service that serves this home, unless its unit was removed."""
    service = served_by(home)
    return service if service is not None and properties_of(service).get("LoadState") != "not-found" else None


def properties_of(service: Service, patience: float = _BOUND) -> Mapping[str, str]:
    """Return the properties of its unit: none when the manager does not answer. Without systemd there are no units."""
    try:
        done = _run(service, "show", *(f"--property={name}" for name in _PROPERTIES), patience=patience)
    except FileNotFoundError:
        return {"LoadState": "not-found"}
    except subprocess.TimeoutExpired:
        return {}
    return dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)


def home_in(unit: Mapping[str, str]) -> str | None:
    """Return the home in the environment of a unit, from `properties_of`; None if the unit names no home."""
    for pair in shlex.split(unit.get("Environment", "")):
        name, _, value = pair.partition("=")
        if name == variables.ENV_HOME:
            return value
    return None


def is_back(home: Home, service: Service, patience: float) -> bool:
    """Wait while the manager is about to start the daemon; True once it runs.

    Raises NoDaemonError when the service was stopped: then no other daemon may run in its place.
    """
    until = time.monotonic() + patience
    while not is_running(home):
        now = properties_of(service)
        state = now.get("ActiveState", "out of reach")
        if not (state in COMING or now.get("Job")) or time.monotonic() > until:
            why = f": {now['StatusText']}" if state == FAILED and now.get("StatusText") else ""
            raise NoDaemonError(
                f"no daemon is running for {home.directory}: the service {service.unit} is {state}{why}; "
                f"start it with {' and '.join(f'`{command}`' for command in revival(service, state))}; "
                f"`{service.log}` shows more"
            )
        select.select([], [], [], _PAUSE)
    return True


def revival(service: Service, state: str) -> list[str]:
    """Return the commands that start a service in this state; `orchctl daemon start` starts a user service."""
    if service.scope == "user":
        return ["orchctl daemon start"]
    return [service.says(verb) for verb in (("reset-failed", "start") if state == FAILED else ("start",))]


def act(home: Home, verb: str) -> bool:
    """Start or restart the service with systemd, and return when that is done; False if the home has no service.

    A unit that was started too often is started only after its counter was reset. Raises RefusedError.
    """
    service = of(home)
    if service is None:
        return False
    if properties_of(service).get("ActiveState") == FAILED:
        demand(service, "reset-failed")
    try:
        demand(service, verb)
    except RefusedError as error:
        why = properties_of(service).get("StatusText")
        raise RefusedError(f"{error.message}{f': {why}' if why else ''}", code=error.code) from None
    return True


def demand(service: Service, *words: str) -> None:
    """Run `systemctl WORDS UNIT`. Raises RefusedError with its message."""
    try:
        done = _run(service, *words)
    except FileNotFoundError:
        raise RefusedError(
            "systemctl is not installed; use `orchctl daemon start`, which does not need it", code="service"
        ) from None
    if done.returncode:
        why = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
        more = f"; `{service.log}` shows more" if service.unit else ""
        if _NO_MANAGER.search(why):
            more = f"; no {_MANAGERS[service.scope]} runs here. Use `orchctl daemon start`, which needs none"
            if service.scope == "user" and Path("/run/systemd/system").exists():
                more += ", or start that with `loginctl enable-linger`"
        raise RefusedError(f"`{service.says(*words).rstrip()}` failed: {why}{more}", code="service")


def reload(scope: str) -> None:
    """Reload the units of the manager."""
    demand(Service(scope, ""), "daemon-reload")


def version(scope: str) -> int:
    """Return the version of systemd; 0 when it is unknown."""
    match = re.match(r"systemd (\d+)", _run(Service(scope, ""), "--version").stdout)
    return int(match[1]) if match else 0


def _run(service: Service, *words: str, patience: float | None = None) -> subprocess.CompletedProcess[str]:
    command = [word for word in service.systemctl("--no-ask-password", *words) if word]
    environment = {**os.environ, "LC_ALL": "C"}
    runtime = Path(f"/run/user/{os.getuid()}")
    if not _is_ours(environment.get("XDG_RUNTIME_DIR")) and _is_ours(runtime):
        environment["XDG_RUNTIME_DIR"] = str(runtime)
        environment.pop("DBUS_SESSION_BUS_ADDRESS", None)
    return subprocess.run(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=patience,
    )


def _is_ours(directory: str | Path | None) -> bool:
    try:
        return bool(directory) and os.stat(str(directory)).st_uid == os.getuid()  # noqa: PTH116
    except OSError:
        return False
