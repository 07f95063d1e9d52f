"""This instance: its configuration, rights, daemon, clock, runners and session files."""

from __future__ import annotations

import os
import shutil
import stat
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from orchctl.client import Client
from orchctl.doctor.findings import Finding, ok, problem, warning
from orchctl.errors import ClientError
from orchd.wire import Home, WireError, runners, settings

_PATIENCE = 5.0  # seconds for a daemon to answer
_NO_CONTROLLER = "no controller of cgroup v2 is passed on to agents; docs/operations.md says where one can be"
_AHEAD = 60.0  # seconds that a clock may have been set back


def config(home: Home) -> tuple[settings.Config, list[Finding]]:
    """What holds, and what is wrong with it."""
    try:
        found = settings.read(home.config)
    except settings.SettingsError as error:
        remedy = f"correct {home.config}; `orchctl config check` looks at it"
        return settings.Config(), [problem("config", one.message, remedy) for one in error.problems]
    return found, [ok("config", f"{home.config} is valid" if home.config.exists() else "no file: defaults hold")]


def rights(home: Home) -> Iterator[Finding]:
    """Whether all of it is this user's and closed to others."""
    if not home.directory.exists():
        yield ok("rights", f"{home.directory} does not exist yet")
        return
    places = (home.directory, home.sockets, home.config, home.database, home.socket, home.events, home.environments)
    wrong = [found for place in dict.fromkeys(places) if (found := _open_to_others(place)) is not None]
    yield from wrong or [ok("rights", f"{home.directory} is yours and closed to others")]


def _open_to_others(place: Path) -> Finding | None:
    try:
        found = place.stat()
    except FileNotFoundError:
        return None
    if found.st_uid != os.getuid():
        return problem(
            "rights", f"{place} belongs to uid {found.st_uid}", f"`chown {os.getuid()}`, or another ORCHD_HOME"
        )
    if stat.S_IMODE(found.st_mode) & 0o022 or (place.is_dir() and stat.S_IMODE(found.st_mode) & 0o077):
        return problem("rights", f"{place} is open to others: {stat.S_IMODE(found.st_mode):o}", f"`chmod go= {place}`")
    return None


def ask(home: Home, op: str, args: dict[str, object] | None = None) -> dict[str, Any] | None:
    """What the daemon answers, or None when none does. Raises ClientError or WireError for one that is not well."""
    from orchctl.start import is_running

    if not is_running(home):
        return None
    with Client(home, starts=False) as client:
        return client.call(op, args or {}, patience=_PATIENCE)


def daemon(home: Home) -> Iterator[Finding]:
    """Whether it answers, and is of this version."""
    try:
        answer = ask(home, "daemon")
    except (ClientError, WireError) as error:
        yield problem("daemon", str(error), f"see {home.log}; `orchctl daemon restart` begins anew, agents go on")
        return
    if answer is None:
        yield ok("daemon", "none runs; the first command that needs it starts it")
    elif answer["version"] != version("orchd"):
        what = f"it is {answer['version']}, this client {version('orchd')}"
        yield warning("daemon", what, "`orchctl daemon restart`; agents go on")
    else:
        yield ok("daemon", f"orchd {answer['version']} answers as pid {answer['pid']}")


def bounds(home: Home) -> Iterator[Finding]:
    """Who holds the bounds of agents: without a daemon nobody knows, since where it is started decides."""
    try:
        answer = ask(home, "daemon")
    except (ClientError, WireError):  # `daemon` has said so
        return
    if answer is None:
        yield ok("bounds", "where the daemon is started decides who holds --memory-max, --cpu-max and --pids-max")
        return
    for name, who in answer.get("bounds", {}).items():
        option = f"--{name.replace('_', '-')}"
        if who == "kernel":
            yield ok("bounds", f"{option} is held by the kernel")
        elif who is not None:
            yield ok("bounds", f"{option} is held by samples: no controller of cgroup v2 is passed on to agents")
        else:
            yield ok("bounds", f"{option} is refused: {_NO_CONTROLLER}")


def clock(home: Home, now: float) -> Finding:
    """Whether the calendar is behind what was written last."""
    written = [path.stat().st_mtime for path in (home.database, Path(f"{home.database}-wal")) if path.exists()]
    if written and max(written) > now + _AHEAD:
        what = f"the clock is {max(written) - now:.0f} s behind what was written last"
        return problem("clock", what, "set it; durations are right anyway, times that are shown are not")
    return ok("clock", time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now)))


def clis(config: settings.Config) -> Iterator[Finding]:
    """Whether the programs of the runners are there; only the default one must be."""
    known = config.known_runners
    for name in known.names:
        if name == runners.MOCK:
            continue
        program = (known.of(name).command or (name,))[0]
        if path := shutil.which(program):
            yield ok("runners", f"{name}: {path}")
        elif name == known.default:
            yield problem("runners", f"{program} is not on the PATH, and {name} is the default", "install it")
        elif name not in runners.BUILT_IN:
            yield warning(
                "runners", f"{name}: {program} is not on the PATH", "install it, or take it out of config.toml"
            )
        else:
            yield ok("runners", f"{name}: not installed")


def sessions(home: Home, config: settings.Config) -> Iterator[Finding]:
    """Whether the files of the sessions that are open can be written."""
    if not config.session_files:
        return
    try:
        answer = ask(home, "sessions") or {"sessions": []}
    except (ClientError, WireError):  # `daemon` has said so
        return
    for one in answer["sessions"]:
        place = Path(one["directory"])
        if one["closed_at"] is None and place.exists() and not os.access(place, os.W_OK):
            what = f"the files of {one['id']} cannot be written in {place}"
            yield warning("sessions", what, "make it writable, or set session_files = false")
