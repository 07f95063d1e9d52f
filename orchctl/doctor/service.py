"""The daemon as a service: what its manager says of its unit."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from orchctl.daemon import systemd, units
from orchctl.daemon import user as users
from orchctl.doctor.findings import Finding, ok, problem, warning
from orchctl.errors import RefusedError
from orchd.instance.home import Home
from orchd.instance.service import Service, served_by

_PATIENCE = 1.0  # seconds for the manager to answer
_UNITS = Path("/run/systemd/system")
_LINGER = Path("/var/lib/systemd/linger")


def service(
    home: Home, manager: Path = _UNITS, lingering: Path = _LINGER, patience: float = _PATIENCE
) -> Iterator[Finding]:
    """Whether the service of this home, if it has one, runs or can be started."""
    if not manager.is_dir():
        yield ok("systemd", "no systemd runs here: the daemon starts with the first command that needs it")
        return
    ours = served_by(home)
    service = ours or _installed()
    found = systemd.shown(service, patience) if service is not None else {}
    if service is None or found.get("LoadState") == "not-found":
        yield ok("systemd", "orchd is no service: the daemon starts with the first command that needs it")
        return
    elsewhere = systemd.home_in(found)
    if ours is None and elsewhere not in (None, str(home.directory)):
        yield ok("systemd", f"{service.unit} serves another home, {elsewhere}")
        return
    wrong = _wrong(service, found, is_ours=ours is not None)
    yield wrong or ok("systemd", f"{service.unit} is {found.get('ActiveState', 'out of reach')}")
    user = users.name()
    if wrong is None and service.scope == "user" and user is not None and not (lingering / user).exists():
        what = f"{service.unit} ends when {user} logs out"
        yield warning("systemd", what, f"`loginctl enable-linger {user}` lets it go on")


def _installed() -> Service | None:
    """A service that is installed and has not run for this home yet."""
    for scope in ("user", "system"):
        try:
            if units.path_of(scope).exists():
                return units.service_of(scope)
        except RefusedError:
            continue
    return None


def _wrong(service: Service, found: Mapping[str, str], *, is_ours: bool) -> Finding | None:
    """What keeps the unit from running, with the commands that start it."""
    if not found:
        what = f"the manager of {service.unit} does not answer"
        return warning("systemd", what, f"`{' '.join(service.systemctl('status'))}` in a login session shows it")
    again = " and ".join(f"`{command}`" for command in systemd.revival(service, found["ActiveState"]))
    install = f"`orchctl service install --{service.scope}`"
    program = _program(found)
    if program is not None and not os.access(program, os.X_OK):
        what = f"{service.unit} starts {program}, which does not exist or is not executable"
        return problem("systemd", what, f"{install} writes the unit for this installation, then {again}")
    if found.get("LoadState") != "loaded":
        what = f"{service.unit} is {found.get('LoadState')}: {found.get('FragmentPath')}"
        return problem("systemd", what, f"`{service.says('unmask')}`, or {install}, then {again}")
    if found["ActiveState"] == systemd.FAILED:
        why = found.get("StatusText") or found.get("Result", "")
        return problem("systemd", f"{service.unit} is failed: {why}; {service.log} shows more", f"{again} starts it")
    if is_ours and found["ActiveState"] not in systemd.COMING:
        return warning(
            "systemd", f"{service.unit} is {found['ActiveState']}: commands exit with 69", f"{again} starts it"
        )
    return None


def _program(found: Mapping[str, str]) -> str | None:
    """The program of `ExecStart={ path=/usr/bin/python3 ; argv[]=... }`."""
    path = re.search(r"path=(.*?) ;", found.get("ExecStart", ""))
    return path[1] if path else None
