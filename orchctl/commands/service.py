"""`orchctl service install|uninstall|status`: the daemon as a service of systemd."""

from __future__ import annotations

import os
import pwd
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from orchctl import exits, out, render, services, units
from orchctl.backups import put_aside
from orchctl.client import Client
from orchctl.commands import stop
from orchctl.errors import UsageError
from orchctl.start import is_running
from orchd.wire import Home, Service, default_home, served_by, variables, whole

_LINGER = Path("/var/lib/systemd/linger")


def install(args: SimpleNamespace) -> int:
    """Write the unit; with --enable, have it run from now on. Agents that live go on."""
    scope, service = _chosen(args)
    if scope == "system" and (home := os.environ.get(variables.ENV_HOME)):
        raise UsageError(
            f"a system service has a home for each user, not {home}: unset {variables.ENV_HOME}, or say --user"
        )
    services.reload(scope)  # nothing is written where nobody would read it
    path = units.path_of(scope)
    kept = _write(path, units.text_of(scope, default_home(), services.version(scope)))
    services.reload(scope)
    if args.enable:
        _hand_over(service)
        services.demand(service, "enable")
        services.demand(service, "start")
    _tell_of(args, service, path, kept)
    return exits.OK


def _tell_of(args: SimpleNamespace, service: Service, path: Path, kept: Path | None) -> None:
    lines = [f"{path}: written{f', the old one is {kept.name}' if kept else ''}"]
    lines.append(f"{service.unit} runs" if args.enable else f"start it: {service.says('enable', '--now')}")
    value = {"unit": service.unit, "path": str(path), "kept": str(kept) if kept else None, "enabled": args.enable}
    out.result(value, map(render.clean_line, lines), as_json=args.json)
    if service.scope == "user" and not (_LINGER / _user()).exists():
        remedy = f"loginctl enable-linger {_user()}"
        out.note(f"it ends with your last session, and all agents with it, unless you say `{remedy}`")


def uninstall(args: SimpleNamespace) -> int:
    """Stop it and take the unit away; with --system, that of every user. Agents that live go on."""
    scope, service = _chosen(args)
    path = units.path_of(scope)
    is_there = path.exists()
    if is_there:
        every = service if scope == "user" else Service(scope, "orchd@*.service")
        services.demand(every, "stop")
        services.demand(Service(scope, path.name), "disable")
        path.unlink()
        services.reload(scope)
    line = f"{path}: removed; agents that live go on" if is_there else f"{path}: there is none"
    out.result({"path": str(path), "removed": is_there}, [render.clean_line(line)], as_json=args.json)
    return exits.OK


def status(args: SimpleNamespace) -> int:
    """How the service is; exit code 1 unless it runs."""
    _, service = _chosen(args)
    found = services.shown(service)
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
    out.result(value, [render.clean_line(line)], as_json=args.json)
    return exits.OK if state == "active" else exits.REFUSED


def _chosen(args: SimpleNamespace) -> tuple[str, Service]:
    if args.user and args.system:
        raise UsageError("--user and --system exclude each other: choose one")
    scope = "system" if args.system else "user"
    return scope, units.service_of(scope, _user())


def _user() -> str:
    """Whose agents are to run: with sudo, not root's."""
    return os.environ.get("SUDO_USER") or pwd.getpwuid(os.getuid()).pw_name


def _write(path: Path, text: str) -> Path | None:
    """Put the unit in place. What somebody changed there is kept beside it."""
    try:
        there = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        there = text
    kept = put_aside(path) if there != text else None
    path.parent.mkdir(parents=True, exist_ok=True)
    whole.write(path, text.encode(), 0o644)
    return kept


def _hand_over(service: Service) -> None:
    """A daemon of this home that is no service would be in its way."""
    home = Home(default_home())
    if service.scope == "system" and _user() != pwd.getpwuid(os.getuid()).pw_name:
        return  # somebody else's home: they stop their daemon themselves
    if is_running(home) and served_by(home) is None:
        with Client(home, starts=False) as client:
            stop.end(client, client.call("daemon")["pid"], "keep")
