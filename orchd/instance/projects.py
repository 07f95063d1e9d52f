"""Project directories, in which session files are written, and the git exclusion of these files.

An agent can change everything in a project, and in the git directory of a checkout: no link of either is followed.
"""

from __future__ import annotations

import os
import pwd
import re
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from orchd.instance.system import atomic_file
from orchd.instance.system.open_file import append_file, inside, read_as_text, read_file

MARK = ".agent"
"""A directory that has this one in it is a project, whether git knows it or not."""
RUNS = ".agent/runs"
"""Where the results of runs and of pm go, in the directory they are started in."""
HEAD = "# written by orchd; `orchctl uninstall-project` removes it"


def is_project(directory: Path) -> bool:
    """Return whether a directory is a project: it has `.agent`, or it is a git checkout and no home directory."""
    try:
        if (directory / MARK).is_dir():
            return True
        if not (directory / ".git").exists():
            return False
        homes: list[Path] = []
        with suppress(RuntimeError):  # neither HOME is set nor has the user an entry
            homes.append(Path.home())
        with suppress(KeyError):
            homes.append(Path(pwd.getpwuid(os.getuid()).pw_dir))
        return not any(_is_same(directory, home) for home in homes)
    except OSError:  # it cannot be searched
        return False


def mark(directory: Path) -> None:
    """Make `directory` a project if it is none. Raises OSError."""
    if not is_project(directory):
        (directory / MARK).mkdir()


def exclude(checkout: Path, places: Iterable[str]) -> bool:
    """Make git ignore the directories `places` of `checkout`, and of all its worktrees, without a tracked file.

    Returns False when this is not a git checkout of this user, or its git directory cannot be used. Raises OSError.
    """
    common = _common(checkout)
    patterns = [_pattern(place) for place in places]
    if common is None or any(not pattern.isprintable() for pattern in patterns):
        return False
    with inside(common, "info", create=True) as info:
        before = _content(info / "exclude")
        lines = before.splitlines()
        missing = [line for line in map(os.fsencode, (HEAD, *patterns)) if line not in lines]
        if missing:
            start = b"" if not before or before.endswith(b"\n") else b"\n"
            append_file(info / "exclude", start + b"\n".join(missing) + b"\n")
    return True


def include(checkout: Path, places: Iterable[str], kept: Iterable[str] = ()) -> list[str]:
    """Remove what `exclude` wrote for `places`; the comment stays with a line for a directory in `kept`.

    Returns the removed lines. Raises OSError.
    """
    common = _common(checkout)
    if common is None or not (common / "info").is_dir():
        return []
    with inside(common, "info") as info:
        lines = _content(info / "exclude").splitlines(keepends=True)
        own = {os.fsencode(_pattern(place)) for place in places}
        if not any(os.fsencode(f"{_pattern(place)}\n") in lines for place in kept):
            own.add(HEAD.encode())
        left = [line for line in lines if line.rstrip(b"\n") not in own]
        if len(left) < len(lines):
            mode = stat.S_IMODE((info / "exclude").stat().st_mode)
            atomic_file.write(info / "exclude", b"".join(left), mode)
    return [os.fsdecode(line.rstrip(b"\n")) for line in lines if line not in left]


def others(checkout: Path) -> list[Path]:
    """Return the other checkouts of the repository, to which the lines of `exclude` also apply. Raises OSError."""
    common = _common(checkout)
    if common is None:
        return []
    git_files = [common] if common.name == ".git" else []
    for pointer in sorted(common.glob("worktrees/*/gitdir")):
        with suppress(OSError):  # git is just removing it
            git_files.append(pointer.parent / read_as_text(pointer).strip())
    return [file.parent for file in git_files if file.exists() and not _is_same(file.parent, checkout)]


def _pattern(place: str) -> str:
    """Return the line of gitignore(5) that matches only this directory, from the root of a checkout."""
    return "/" + re.sub(r"([\\*?\[ ])", r"\\\1", place) + "/"


def _content(path: Path) -> bytes:
    try:
        return read_file(path)
    except FileNotFoundError:
        return b""


def _common(checkout: Path) -> Path | None:
    """Return the git directory that all worktrees of a checkout share; None if it is missing or not this user's."""
    place = checkout / ".git"
    try:
        mode = place.lstat().st_mode
        shared = place if stat.S_ISDIR(mode) else _pointed(place) if stat.S_ISREG(mode) else None
        if shared is None or shared.stat().st_uid != os.getuid():
            return None
    except (FileNotFoundError, NotADirectoryError):
        return None
    return shared if (shared / "HEAD").is_file() and (shared / "objects").is_dir() else None


def _pointed(file: Path) -> Path | None:
    """Return the shared git directory that the `.git` file of a worktree names (gitrepository-layout(5))."""
    head, _, name = read_as_text(file).strip().partition(" ")
    if head != "gitdir:" or not name or "\0" in name:
        return None
    own = file.parent / name
    try:
        common = read_as_text(own / "commondir").strip()
    except FileNotFoundError:
        return own  # a submodule
    back = own / read_as_text(own / "gitdir").strip()
    return own / common if back.exists() and back.samefile(file) else None


def _is_same(first: Path, second: Path) -> bool:
    try:
        return first.samefile(second)
    except OSError:
        return False


def project_of(directory: Path) -> Path:
    """Return the root of the git checkout of `directory`, or the directory itself outside a checkout."""
    return next((level for level in (directory, *directory.parents) if (level / ".git").exists()), directory)
