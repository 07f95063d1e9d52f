"""Check of the systemd service of the daemon."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
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
    """Check that the service of this home, if it has one, runs or can be started."""
    if not manager.is_dir():
        yield ok("systemd", "systemd is not running: the daemon starts with the first command that needs it")
        return
    service = ours = served_by(home)
    for scope in ("user", "system"):
        with suppress(RefusedError):  # the user has no name, or no home directory
            if service is None and units.path_of(scope).exists():
                service = units.service_of(scope)  # it has not run for this home yet
    unit = systemd.properties_of(service, patience) if service is not None else {}
    if service is None or unit.get("LoadState") == "not-found":
        yield ok(
            "systemd", "orchd is not installed as a service: the daemon starts with the first command that needs it"
        )
        return
    elsewhere = systemd.home_in(unit)
    if ours is None and elsewhere not in (None, str(home.directory)):
        yield ok("systemd", f"{service.unit} serves another home, {elsewhere}")
        return
    wrong = _wrong(service, unit, is_ours=ours is not None)
    yield wrong or ok("systemd", f"{service.unit} is {unit.get('ActiveState', 'out of reach')}")
    user = users.name()
    if wrong is None and service.scope == "user" and user is not None and not (lingering / user).exists():
        what = f"{service.unit} ends when {user} logs out"
        yield warning("systemd", what, f"`loginctl enable-linger {user}` lets it continue")


def _wrong(service: Service, unit: Mapping[str, str], *, is_ours: bool) -> Finding | None:
    """Return what keeps the unit from running, with the commands that start it."""
    if not unit:
        what = f"the manager of {service.unit} does not answer"
        return warning("systemd", what, f"`{' '.join(service.systemctl('status'))}` in a login session shows it")
    again = " and ".join(f"`{command}`" for command in systemd.revival(service, unit["ActiveState"]))
    install = f"`orchctl service install --{service.scope}`"
    path = re.search(r"path=(.*?) ;", unit.get("ExecStart", ""))
    program = path[1] if path else None
    if program is not None and not os.access(program, os.X_OK):
        what = f"{service.unit} starts {program}, which does not exist or is not executable"
        return problem("systemd", what, f"{install} writes the unit for this installation, then {again}")
    if unit.get("LoadState") != "loaded":
        what = f"{service.unit} is {unit.get('LoadState')}: {unit.get('FragmentPath')}"
        return problem("systemd", what, f"`{service.says('unmask')}`, or {install}, then {again}")
    if unit["ActiveState"] == systemd.FAILED:
        why = unit.get("StatusText") or unit.get("Result", "")
        return problem("systemd", f"{service.unit} has failed: {why}; {service.log} shows more", f"{again} starts it")
    if is_ours and unit["ActiveState"] not in systemd.COMING:
        return warning(
            "systemd", f"{service.unit} is {unit['ActiveState']}: commands exit with 69", f"{again} starts it"
        )
    return None
