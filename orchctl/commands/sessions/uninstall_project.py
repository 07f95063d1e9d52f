"""`orchctl uninstall-project`: take out of a project what orchd has put into it."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from orchctl import exit_codes
from orchctl.client import Client, pages
from orchctl.errors import NoDaemonError, RefusedError
from orchctl.render import text
from orchctl.skills import find, install
from orchctl.skills.install import CHANGED, REMOVED, SKILL
from orchctl.terminal import console
from orchd.instance import config as settings
from orchd.instance import projects
from orchd.instance.home import Home, default_home
from orchd.instance.projects import project_of
from orchd.instance.system import open_file

# The files of orchd/session_files, and what is left of them when the daemon is killed while it replaces one.
_SESSIONS = re.compile(r"session-\d+\.yaml|latest\.yaml|\.(session-\d+|latest)\.yaml\.new|\.gitignore")
_STATE = re.compile(r"agents\.json|events\.jsonl|\.agents\.json\.new|\.gitignore")


def run(args: SimpleNamespace) -> int:
    """Print each file and line that was removed, and each file that was changed and stays: then the exit code is 1.

    The lines that hide session files from git stay while another checkout of the repository has such files.
    With `--json` `{project, removed: [PATH], excluded: [LINE], changed: [PATH], in_use: [CHECKOUT]}`.
    """
    project = project_of(Path.cwd())
    _check_idle()
    removed: list[str] = []
    changed: list[str] = []
    for file in _skill_files(project):
        (changed if file.done == CHANGED else removed).append(str(file.path.relative_to(project)))
    config = _config()
    places = {config.sessions_path: _SESSIONS, config.state_path: _STATE}
    removed += [path for place, names in places.items() for path in _session_files(project, place, names)]
    in_use = [str(other) for other in projects.others(project) if _has_session_files(other, places)]
    lines = [] if in_use else projects.include(project, (*places, projects.RUNS))
    for place in places:
        install.emptied(project, Path(place))
    value = {"project": str(project), "removed": removed, "excluded": lines, "changed": changed, "in_use": in_use}
    console.result(value, map(text.clean_line, _lines(value)), as_json=args.json)
    return exit_codes.REFUSED if changed else exit_codes.OK


def _lines(value: dict[str, Any]) -> Iterator[str]:
    for path in value["removed"]:
        yield f"{path}: {REMOVED}"
    for line in value["excluded"]:
        yield f".git/info/exclude: {line}: {REMOVED}"
    for path in value["in_use"]:
        yield f".git/info/exclude: stays as it is: {path} has session files; `orchctl uninstall-project` there first"
    for path in value["changed"]:
        yield f"{path}: {CHANGED}, it stays"
    if not (value["removed"] or value["excluded"] or value["changed"] or value["in_use"]):
        yield f"there is nothing of orchd in {value['project']}"


def _skill_files(project: Path) -> Iterator[install.InstalledFile]:
    """What was done about each file of a copy, in the root of the project and in the current directory."""
    for directory in dict.fromkeys((project, Path.cwd())):
        for place in find.INSTALLED:
            yield from install.uninstall(find.SHIPPED / SKILL, directory, f"{place}/{SKILL}")
            install.emptied(directory, Path(place, SKILL))


def _session_files(project: Path, place: str, names: re.Pattern[str]) -> list[str]:
    """Delete the session files in the directory `place`: their paths in the project. No link is followed."""
    gone = []
    with suppress(FileNotFoundError, NotADirectoryError), open_file.inside(project, *Path(place).parts) as directory:
        for path in sorted(directory.iterdir()):
            if names.fullmatch(path.name) and not stat.S_ISDIR(path.lstat().st_mode):
                path.unlink()
                gone.append(f"{place}/{path.name}")
    return gone


def _has_session_files(project: Path, places: Mapping[str, re.Pattern[str]]) -> bool:
    """Whether there are session files in a checkout. No link is followed."""
    for place, names in places.items():
        with suppress(OSError), open_file.inside(project, *Path(place).parts) as directory:
            if any(names.fullmatch(path.name) for path in directory.iterdir()):
                return True
    return False


def _config() -> settings.Config:
    """The configuration of this home, which says where session files are."""
    try:
        return settings.read(Home(default_home()).config)
    except settings.SettingsError as error:
        raise RefusedError(f"{error}; correct it", code="bad-config") from None


def _check_idle() -> None:
    """Raises RefusedError while agents of this project's session go on: their next event would write the files."""
    try:
        with Client(starts=False) as client:
            agents = pages.session(client, None)["agents"]
    except NoDaemonError:
        return
    except RefusedError as error:
        if error.code != "unknown-session":
            raise
        return
    living = [agent["id"] for agent in agents if not text.is_over(agent)]
    if living:
        what = f"{', '.join(living[:5])} of this project are not over: wait for them, or cancel them"
        raise RefusedError(what, code="agents-not-over", details={"agents": living})
