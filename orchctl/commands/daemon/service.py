"""`orchctl service install|uninstall|status`: the daemon as a service of systemd."""

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
_MANAGERS = {"user": "user's own manager", "system": "machine's manager"}


def install(args: SimpleNamespace) -> int:
    """Write the unit; with --enable, have it run from now on. Agents that live go on."""
    scope, service = _chosen(args)
    if scope == "system" and (home := os.environ.get(environment.ENV_HOME)):
        raise UsageError(
            f"a system service has a home for each user, not {home}: unset {environment.ENV_HOME}, or say --user"
        )
    _check_free(scope, service)
    systemd.reload(scope)  # nothing is written where nobody would read it
    path = units.path_of(scope)
    kept = _write(path, units.text_of(scope, default_home(), systemd.version(scope)))
    systemd.reload(scope)
    if args.enable:
        _hand_over(service)
        _enable(service)
    _tell_of(args, service, path, kept)
    return exit_codes.OK


def _enable(service: Service) -> None:
    """Enable and start it. One that cannot start is not left enabled."""
    systemd.demand(service, "enable")
    try:
        if systemd.shown(service).get("ActiveState") == systemd.FAILED:
            systemd.demand(service, "reset-failed")
        systemd.demand(service, "start")
    except RefusedError as error:
        why = systemd.shown(service).get("StatusText")
        systemd.demand(service, "disable")
        systemd.demand(service, "stop")  # it may be about to be started again
        raise RefusedError(f"{error.message}{f': {why}' if why else ''}; it is not enabled", code=error.code) from None


def _check_free(scope: str, service: Service) -> None:
    """Raise RefusedError when the home has another service, or the service another home: two would fight for it."""
    home = _home_of(scope)
    other = served_by(home)
    if other is not None and other.scope != scope and _is_in_use(home, other):
        raise RefusedError(
            f"{home.directory} is served by {other.unit} of the {_MANAGERS[other.scope]}: "
            f"`orchctl service uninstall --{other.scope}` first; agents keep running",
            code="service",
        )
    elsewhere = systemd.home_in(systemd.shown(service))
    if scope == "user" and elsewhere not in (None, str(home.directory)) and _is_active(service):
        raise RefusedError(
            f"{service.unit} runs for another home, {elsewhere}: `{service.says('stop')}` first; agents keep running",
            code="service",
        )


def _is_active(service: Service) -> bool:
    return systemd.shown(service).get("ActiveState") in systemd.COMING


def _is_in_use(home: Home, other: Service) -> bool:
    """Whether the other manager runs it, or will. The manager of another user cannot be asked, but the lock can."""
    if locks.holder(home.lock) is not None:
        return True
    if other.scope == "system":
        return _is_active(other) or systemd.shown(other).get("UnitFileState") == "enabled"
    return (home_directory(_user()) / f".config/systemd/user/default.target.wants/{other.unit}").exists()


def _home_of(scope: str) -> Home:
    """The home that the service would serve: with sudo that of the user who called it."""
    if scope == "user" or _user() == users.name():
        return Home(default_home())
    return Home(home_directory(_user()) / ".local/state/orchd")


def home_directory(user: str) -> Path:
    """The home directory of a user of this machine. Raises RefusedError for one that there is not."""
    try:
        return Path(pwd.getpwnam(user).pw_dir)
    except KeyError:
        raise RefusedError(f"there is no user {user!r} on this machine", code="no-user") from None


def _tell_of(args: SimpleNamespace, service: Service, path: Path, kept: Path | None) -> None:
    lines = [f"{path}: written{f', the old one is {kept.name}' if kept else ''}"]
    lines.append(f"{service.unit} runs" if args.enable else f"start it: {service.says('enable', '--now')}")
    value = {"unit": service.unit, "path": str(path), "kept": str(kept) if kept else None, "enabled": args.enable}
    console.result(value, map(render.clean_line, lines), as_json=args.json)
    user = users.name()
    if service.scope == "user" and user is not None and not (_LINGER / user).exists():
        remedy = f"loginctl enable-linger {user}"
        console.warn(f"it ends with your last session, and all agents with it, unless you say `{remedy}`")


def uninstall(args: SimpleNamespace) -> int:
    """Stop it and take the unit away; with --system, that of every user. Agents that live go on."""
    scope, service = _chosen(args)
    path = units.path_of(scope)
    is_there = path.exists()
    if is_there:
        every = service if scope == "user" else Service(scope, "orchd@*.service")
        systemd.demand(every, "stop")
        systemd.demand(Service(scope, path.name), "disable")
        path.unlink()
        systemd.reload(scope)
    line = f"{path}: removed; agents that live go on" if is_there else f"{path}: there is none"
    console.result({"path": str(path), "removed": is_there}, [render.clean_line(line)], as_json=args.json)
    return exit_codes.OK


def status(args: SimpleNamespace) -> int:
    """How the service is; exit code 1 unless it runs."""
    _, service = _chosen(args)
    found = systemd.shown(service)
    state = found.get("ActiveState", "out of reach") if found.get("LoadState") != "not-found" else "not installed"
    value: dict[str, Any] = {
        "unit": service.unit,
        "path": found.get("FragmentPath") or None,
        "state": state,
        "enabled": found.get("UnitFileState") == "enabled",
        "pid": int(found.get("MainPID") or 0) or None,
        "status": found.get("StatusText") or None,
    }
    words = [f"{service.unit}: {state}", "enabled" if value["enabled"] else "not enabled"]
    words += [f"pid {value['pid']}" if value["pid"] else "", value["status"] or ""]
    line = ", ".join(filter(None, words)) if state != "not installed" else words[0]
    console.result(value, [render.clean_line(line)], as_json=args.json)
    return exit_codes.OK if state == "active" else exit_codes.REFUSED


def _chosen(args: SimpleNamespace) -> tuple[str, Service]:
    if args.user and args.system:
        raise UsageError("--user and --system exclude each other: choose one")
    scope = "system" if args.system else "user"
    return scope, units.service_of(scope, None if scope == "user" else _user())


def _user() -> str:
    """Whose agents are to run: with sudo, not root's."""
    return os.environ.get("SUDO_USER") or users.named()


def _write(path: Path, text: str) -> Path | None:
    """Put the unit in place. What somebody changed there is kept beside it."""
    try:
        there = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        there = text
    kept = back_up(path) if there != text else None
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_file.write(path, text.encode(), 0o644)
    return kept


def _hand_over(service: Service) -> None:
    """A daemon of this home that is no service would be in its way."""
    home = Home(default_home())
    if service.scope == "system" and _user() != users.name():
        return  # somebody else's home: they stop their daemon themselves
    if is_running(home) and served_by(home) is None:
        with Client(home, starts=False) as client:
            stop.end(client, client.call("daemon")["pid"], "keep")
