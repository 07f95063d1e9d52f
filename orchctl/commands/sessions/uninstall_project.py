"""`orchctl uninstall-project`: remove the files and lines of orchd from a project."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

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

# The files of orchd/session_files, and the files that stay when the daemon is killed while it replaces one of them.
_SESSIONS = re.compile(r"session-\d+\.yaml|latest\.yaml|\.(session-\d+|latest)\.yaml\.new|\.gitignore")
_STATE = re.compile(r"agents\.json|events\.jsonl|\.agents\.json\.new|\.gitignore")


def run(args: SimpleNamespace) -> int:
    """Print each file and line that was removed, and each file that was changed and stays: then the exit code is 1.

    The lines that hide session files from git stay while another checkout of the repository has such files; the line
    that hides results stays while this or another checkout has results.
    With `--json` `{project, removed: [PATH], excluded: [LINE], changed: [PATH], in_use: [CHECKOUT]}`.
    """
    project = project_of(Path.cwd())
    _check_idle()
    removed: list[str] = []
    changed: list[str] = []
    copies = [(folder, place) for folder in dict.fromkeys((project, Path.cwd())) for place in find.INSTALLED]
    for folder, place in copies:
        for file in install.uninstall(find.SHIPPED / SKILL, folder, f"{place}/{SKILL}"):
            (changed if file.done == CHANGED else removed).append(str(file.path.relative_to(project)))
        install.emptied(folder, Path(place, SKILL))
    try:
        config = settings.read(Home(default_home()).config)  # it says where session files are
    except settings.SettingsError as error:
        raise RefusedError(f"{error}; correct it", code="bad-config") from None
    places = {config.sessions_path: _SESSIONS, config.state_path: _STATE}
    removed += [path for place, names in places.items() for path in _delete(project, place, names)]
    for place in (*places, projects.RUNS):
        install.emptied(project, Path(place))
    others = projects.others(project)
    in_use = [str(other) for other in others if _has_session_files(other, places)]
    results = _results((project, *others))
    hidden, kept = ((*places, projects.RUNS), ()) if results is None else (tuple(places), (projects.RUNS,))
    excluded = [] if in_use else projects.include(project, hidden, kept)
    value = {"project": str(project), "removed": removed, "excluded": excluded, "changed": changed, "in_use": in_use}
    lines = [
        *(f"{path}: {REMOVED}" for path in removed),
        *(f".git/info/exclude: {line}: {REMOVED}" for line in excluded),
        *(
            f".git/info/exclude: not changed: {path} has session files; run `orchctl uninstall-project` there first"
            for path in in_use
        ),
        *([f".git/info/exclude: /{projects.RUNS}/: not removed: it hides {results}"] if results and excluded else []),
        *(f"{path}: {CHANGED}, not removed" for path in changed),
    ]
    lines = lines or [f"no files of orchd in {project}"]
    console.result(value, map(text.clean_line, lines), as_json=args.json)
    return exit_codes.REFUSED if changed else exit_codes.OK


def _delete(project: Path, place: str, names: re.Pattern[str]) -> list[str]:
    """Delete the session files in the directory `place`, and return their paths. No link is followed."""
    deleted = []
    with suppress(FileNotFoundError, NotADirectoryError), open_file.inside(project, *Path(place).parts) as directory:
        for path in sorted(directory.iterdir()):
            if names.fullmatch(path.name) and not stat.S_ISDIR(path.lstat().st_mode):
                path.unlink()
                deleted.append(f"{place}/{path.name}")
    return deleted


def _has_session_files(project: Path, places: Mapping[str, re.Pattern[str]]) -> bool:
    """Return whether a checkout has session files. No link is followed."""
    for place, names in places.items():
        with suppress(OSError), open_file.inside(project, *Path(place).parts) as directory:
            if any(names.fullmatch(path.name) for path in directory.iterdir()):
                return True
    return False


def _results(checkouts: Iterable[Path]) -> Path | None:
    """Return a directory of these checkouts that has results; None if there is none."""
    for checkout in checkouts:
        with suppress(OSError):
            if any((checkout / projects.RUNS).iterdir()):
                return checkout / projects.RUNS
    return None


def _check_idle() -> None:
    """Raise RefusedError while agents of this project are not finished: their next event would write the files."""
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
        what = f"agents of this project have not finished: {', '.join(living[:5])}. Wait for them, or cancel them"
        raise RefusedError(what, code="agents-not-over", details={"agents": living})
