"""`orchctl service install|uninstall|status`: the daemon as a systemd service."""

from __future__ import annotations

import os
import pwd
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from orchctl import exit_codes
from orchctl.client import Client
from orchctl.commands.daemon import stop
from orchctl.daemon import systemd, units
from orchctl.daemon import user as users
from orchctl.daemon.probe import is_running
from orchctl.errors import RefusedError, UsageError
from orchctl.render import text as render
from orchctl.skills.backups import back_up
from orchctl.terminal import console
from orchd.instance import environment
from orchd.instance.home import Home, default_home
from orchd.instance.service import Service, served_by
from orchd.instance.system import atomic_file, locks

_LINGER = Path("/var/lib/systemd/linger")
_MANAGERS = {"user": "user manager", "system": "system manager"}


def install(args: SimpleNamespace) -> int:
    """Write the unit; with --enable, start it now and at each boot. Agents keep running."""
    scope, service = _chosen(args)
    if scope == "system" and (home := os.environ.get(environment.ENV_HOME)):
        raise UsageError(
            f"a system service has a home for each user, not {home}: unset {environment.ENV_HOME}, or use --user"
        )
    _check_free(scope, service)
    systemd.reload(scope)  # raises where no manager runs that would read the unit
    path = units.path_of(scope)
    content = units.text_of(scope, default_home(), systemd.version(scope))
    try:
        before = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        before = content
    kept = back_up(path) if before != content else None  # a unit that a person changed
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_file.write(path, content.encode(), 0o644)
    systemd.reload(scope)
    if args.enable:
        _enable(service)
    lines = [f"{path}: written{f', the old file is {kept.name}' if kept else ''}"]
    lines.append(f"{service.unit} is running" if args.enable else f"start it: {service.says('enable', '--now')}")
    value = {"unit": service.unit, "path": str(path), "kept": str(kept) if kept else None, "enabled": args.enable}
    console.result(value, map(render.clean_line, lines), as_json=args.json)
    user = users.name()
    if scope == "user" and user is not None and not (_LINGER / user).exists():
        remedy = f"loginctl enable-linger {user}"
        console.warn(f"the daemon and all agents end with your last login session; to prevent that, run `{remedy}`")
    return exit_codes.OK


def _enable(service: Service) -> None:
    """Enable and start the service. A service that cannot start is not left enabled."""
    home = Home(default_home())
    # a daemon of this home that is no service would be in its way; another user stops their daemon themselves
    is_own = service.scope == "user" or _user() == users.name()
    if is_own and is_running(home) and served_by(home) is None:
        with Client(home, starts=False) as client:
            stop.end(client, client.call("daemon")["pid"], "keep")
    systemd.demand(service, "enable")
    try:
        if systemd.properties_of(service).get("ActiveState") == systemd.FAILED:
            systemd.demand(service, "reset-failed")
        systemd.demand(service, "start")
    except RefusedError as error:
        why = systemd.properties_of(service).get("StatusText")
        systemd.demand(service, "disable")
        systemd.demand(service, "stop")  # it may be about to be started again
        raise RefusedError(f"{error.message}{f': {why}' if why else ''}; it is not enabled", code=error.code) from None


def _check_free(scope: str, service: Service) -> None:
    """Raise RefusedError when the home has another service, or the service another home: two daemons would compete."""
    is_own = scope == "user" or _user() == users.name()  # with sudo the home of the user who called it
    home = Home(default_home() if is_own else home_directory(_user()) / ".local/state/orchd")
    other = served_by(home)
    if other is not None and other.scope != scope and _is_in_use(home, other):
        raise RefusedError(
            f"{home.directory} is served by {other.unit} of the {_MANAGERS[other.scope]}: "
            f"`orchctl service uninstall --{other.scope}` first; agents keep running",
            code="service",
        )
    elsewhere = systemd.home_in(systemd.properties_of(service))
    if scope == "user" and elsewhere not in (None, str(home.directory)) and _is_active(service):
        raise RefusedError(
            f"{service.unit} serves another home, {elsewhere}: `{service.says('stop')}` first; agents keep running",
            code="service",
        )


def _is_active(service: Service) -> bool:
    return systemd.properties_of(service).get("ActiveState") in systemd.COMING


def _is_in_use(home: Home, other: Service) -> bool:
    """Return whether the other service runs or is enabled: another user's manager cannot be asked, but the lock can."""
    if locks.holder(home.lock) is not None:
        return True
    if other.scope == "system":
        return _is_active(other) or systemd.properties_of(other).get("UnitFileState") == "enabled"
    return (home_directory(_user()) / f".config/systemd/user/default.target.wants/{other.unit}").exists()


def home_directory(user: str) -> Path:
    """Return the home directory of a user of this machine. Raises RefusedError when there is no such user."""
    try:
        return Path(pwd.getpwnam(user).pw_dir)
    except KeyError:
        raise RefusedError(f"unknown user on this machine: {user!r}", code="no-user") from None


def uninstall(args: SimpleNamespace) -> int:
    """Stop the service and remove the unit; with --system, the services of all users. Agents keep running."""
    scope, service = _chosen(args)
    path = units.path_of(scope)
    is_there = path.exists()
    if is_there:
        every = service if scope == "user" else Service(scope, "orchd@*.service")
        systemd.demand(every, "stop")
        systemd.demand(Service(scope, path.name), "disable")
        path.unlink()
        systemd.reload(scope)
    line = f"{path}: removed; agents keep running" if is_there else f"{path}: not installed"
    console.result({"path": str(path), "removed": is_there}, [render.clean_line(line)], as_json=args.json)
    return exit_codes.OK


def status(args: SimpleNamespace) -> int:
    """Print the state of the service; exit code 1 unless it is running."""
    _, service = _chosen(args)
    properties = systemd.properties_of(service)
    is_installed = properties.get("LoadState") != "not-found"
    state = properties.get("ActiveState", "out of reach") if is_installed else "not installed"
    value: dict[str, Any] = {
        "unit": service.unit,
        "path": properties.get("FragmentPath") or None,
        "state": state,
        "enabled": properties.get("UnitFileState") == "enabled",
        "pid": int(properties.get("MainPID") or 0) or None,
        "status": properties.get("StatusText") or None,
    }
    words = [f"{service.unit}: {state}", "enabled" if value["enabled"] else "not enabled"]
    words += [f"pid {value['pid']}" if value["pid"] else "", value["status"] or ""]
    line = ", ".join(filter(None, words)) if is_installed else words[0]
    console.result(value, [render.clean_line(line)], as_json=args.json)
    return exit_codes.OK if state == "active" else exit_codes.REFUSED


def _chosen(args: SimpleNamespace) -> tuple[str, Service]:
    if args.user and args.system:
        raise UsageError("--user and --system exclude each other: choose one")
    scope = "system" if args.system else "user"
    return scope, units.service_of(scope, None if scope == "user" else _user())


def _user() -> str:
    """Return the user whose agents are to run: with sudo, not root."""
    return os.environ.get("SUDO_USER") or users.named()
