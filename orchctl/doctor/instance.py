"""Checks of this instance: home, configuration, rights, daemon, database, clock, runners and session files."""

from __future__ import annotations

import os
import shlex
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from orchctl.doctor.asking import DaemonState
from orchctl.doctor.findings import Finding, ok, problem, warning
from orchctl.doctor.machine import room
from orchd.instance import config as settings
from orchd.instance import database_file, projects, runner_config
from orchd.instance import home as homes
from orchd.instance.home import Home
from orchd.instance.service import log_of

_NO_CONTROLLER = (
    "no controller of cgroup v2 is passed on to agents; under systemd 254 or newer a daemon that runs as a service has "
    "controllers: `orchctl service install --enable`"
)
_PUT_BACK = "restore a backup; agents that are still running are recovered if the backup has them"
_AHEAD = 60.0  # seconds that a clock may have been set back
_SECONDS = 0.5  # for the check of the database


def home_directory(home: Home) -> Finding:
    """Check whether a daemon could write to the home and to its sockets: by writing, as access(2) knows less."""
    for directory in dict.fromkeys((home.directory, home.sockets)):
        place = next(path for path in (directory, *directory.parents) if os.path.lexists(path))
        if not place.is_dir():
            return problem("home", f"{place} is not a directory", "set ORCHD_HOME to a writable directory")
        try:
            os.rmdir(tempfile.mkdtemp(prefix=".orchctl-doctor-", dir=place))  # noqa: PTH106
        except OSError as error:
            what = f"{directory} cannot be written: {place}: {error.strerror}"
            return problem("home", what, homes.way_out(error))
    return ok(
        "home", f"{home.directory} can be written" if home.directory.exists() else f"{home.directory} can be created"
    )


def kinds(home: Home) -> Iterator[Finding]:
    """Check that each path of the home is a file, directory or socket as the daemon expects."""
    wrong = [
        problem("files", f"{place} is not {expected}", f"`mv {shlex.quote(str(place))} {shlex.quote(f'{place}.old')}`")
        for place, expected in home.misplaced()
    ]
    yield from wrong or [ok("files", "all files of the home have the expected type")]


def config(home: Home) -> tuple[settings.Config, list[Finding]]:
    """Return the configuration in use, and findings on the file."""
    try:
        values = settings.read(home.config)
    except settings.SettingsError as error:
        remedy = f"correct {home.config}, then run `orchctl config check`"
        return settings.Config(), [problem("config", mistake.message, remedy) for mistake in error.problems]
    return values, [ok("config", f"{home.config} is valid" if home.config.exists() else "no file: defaults apply")]


def rights(home: Home) -> Iterator[Finding]:
    """Check that the home belongs to this user and is closed to others."""
    if not home.directory.exists():
        yield ok("rights", f"{home.directory} does not exist yet")
        return
    places = (
        *(home.directory, home.sockets, home.config, home.database, home.socket, home.events, home.environments),
        *(home.lock, home.start_lock, home.log),
    )
    wrong: list[Finding] = []
    for place in dict.fromkeys(places):
        try:
            status = place.stat()
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            what = f"{place} cannot be inspected: {error.strerror}"
            way_out = "make this user its owner, or use another ORCHD_HOME"
            yield from wrong or [problem("rights", what, way_out)]  # in a home of another user no file can be inspected
            return
        mode = stat.S_IMODE(status.st_mode)
        if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode) or stat.S_ISSOCK(status.st_mode)):
            continue  # a device behind a link may be open to all; `kinds` reports it
        if status.st_uid != os.getuid():
            remedy = f"`chown {os.getuid()} {place}` as root, or use another ORCHD_HOME"
            wrong.append(problem("rights", f"{place} belongs to uid {status.st_uid}", remedy))
        elif mode & 0o022 or (stat.S_ISDIR(status.st_mode) and mode & 0o077):
            wrong.append(
                problem("rights", f"{place} is accessible to other users: mode {mode:o}", f"`chmod go= {place}`")
            )
    yield from wrong or [ok("rights", f"{home.directory} belongs to this user and is not accessible to others")]


_RESTART = "restart it with `orchctl daemon restart`; agents keep running"


def daemon(home: Home, server: DaemonState) -> Finding:
    """Check that the daemon answers, has the version of this client, and holds the lock of the home."""
    if server.answer is None:
        if server.is_listening:
            return problem("daemon", f"{server.who} does not answer; its log: {log_of(home)}", _RESTART)
        if server.error is not None:
            remedy = f"`chown {os.getuid()} {home.socket}` as root, or use another ORCHD_HOME"
            return problem("daemon", server.error, remedy)
        if server.holder is not None:
            return problem("daemon", f"{server.who} holds {home.lock} but does not listen on {home.socket}", _RESTART)
        return ok("daemon", "not running")
    pid = server.answer["pid"]
    if server.answer.get("disk_full"):
        what = f"pid {pid} cannot write: the disk of {home.directory} is full"
        return problem("daemon", what, room(home.directory))
    if server.holder is None or server.holder.pid not in (None, pid):
        other = server.holder.pid if server.holder else None
        whose = f" but does not hold {home.lock}" if other is None else f", and pid {other} holds {home.lock}"
        return problem("daemon", f"pid {pid} answers{whose}", _RESTART)
    if server.answer["version"] != version("orchd"):
        what = f"the daemon has version {server.answer['version']}, this client {version('orchd')}"
        return warning("daemon", what, "`orchctl daemon restart`; agents keep running")
    return ok("daemon", f"orchd {server.answer['version']} answers as pid {pid}")


def database(home: Home) -> Finding:
    """Check whether a daemon can use the database, without changing it."""
    status = database_file.check(home.database, time.monotonic, _SECONDS)
    if status.is_empty and any(home.agents.glob("agent-*.*")):
        return problem("database", database_file.lost(home.database, f"has lost its agents: {status.note}"), _PUT_BACK)
    if status.problem is None:
        return ok("database", f"{home.database}: {status.note}")
    return problem("database", status.problem, status.remedy)


def bounds(server: DaemonState) -> Iterator[Finding]:
    """Report how resource limits are enforced: that depends on where the daemon was started."""
    if server.answer is None:
        yield ok(
            "resource-limits",
            "whether --memory-max, --cpu-max and --pids-max work depends on where the daemon is started",
        )
        return
    for name, who in server.answer.get("resource_limits", {}).items():
        option = f"--{name.replace('_', '-')}"
        if who == "kernel":
            yield ok("resource-limits", f"{option} is enforced by the kernel")
        elif who is not None:
            yield ok(
                "resource-limits", f"{option} is enforced by polling: no cgroup v2 controller is delegated to agents"
            )
        else:
            yield ok("resource-limits", f"{option} is refused: {_NO_CONTROLLER}")


def clock(home: Home, now: float) -> Finding:
    """Check that the clock is not behind the last change of the database."""
    written = [path.stat().st_mtime for path in database_file.files_of(home.database) if path.exists()]
    if written and max(written) > now + _AHEAD:
        what = f"the clock is {max(written) - now:.0f} s behind the last change of the database"
        return problem("clock", what, "set the clock; displayed times are wrong until then, durations are right")
    return ok("clock", time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now)))


def clis(config: settings.Config) -> Iterator[Finding]:
    """Check whether the programs of the runners are installed; only that of the default runner must be."""
    known = config.known_runners
    for name in known.names:
        if name == runner_config.MOCK:
            continue
        program = known.program(name) or name
        if path := shutil.which(program):
            yield ok("runners", f"{name}: {path}")
        elif name == known.default:
            yield problem("runners", f"{program} is not on PATH, and {name} is the default runner", "install it")
        elif name not in runner_config.BUILT_IN:
            yield warning("runners", f"{name}: {program} is not on PATH", "install it, or remove it from config.toml")
        else:
            yield ok("runners", f"{name}: not installed")


def sessions(server: DaemonState, config: settings.Config) -> Iterator[Finding]:
    """Check that the files of open sessions can be written."""
    if not config.session_files:
        return
    for session in (server.ask("sessions") or {"sessions": []})["sessions"]:
        place = Path(session["directory"])
        if session["closed_at"] is None and projects.is_project(place) and not os.access(place, os.W_OK):
            what = f"the files of {session['id']} cannot be written to {place}"
            yield warning("sessions", what, "make the directory writable, or set session_files = false")
