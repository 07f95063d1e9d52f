"""Installing the shipped skills where an LLM looks for them, without overwriting changed files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from orchctl.errors import RefusedError
from orchctl.skills.backups import back_up
from orchd.instance import formats
from orchd.instance.system import atomic_file, open_file

SKILL = "skill-parallel-orchestration"  # the skill that teaches an LLM to orchestrate
MANIFEST = ".installed.json"  # in the skill's folder: the digest of each file as it was installed last
_VERSION = 1  # of that file

WRITTEN = "written"
CURRENT = "up to date"
REPLACED = "replaced"
CHANGED = "changed"
REMOVED = "removed"


class InstalledFile(NamedTuple):
    """The state of a file after the installation. `kept` is the backup of a file that was replaced by force."""

    path: Path
    done: str
    kept: Path | None = None


def install(skill: Path, folder: Path, *, is_forced: bool) -> list[InstalledFile]:
    """Copy the files of `skill` to `folder`. Without force, a file that was changed after installation is kept."""
    before = _known(folder / MANIFEST)
    digests = dict(before)
    files = []
    for source in _files(skill):
        name = str(source.relative_to(skill))
        content = source.read_bytes()
        file = _install(content, folder / name, digests.get(name), is_forced=is_forced)
        if file.done != CHANGED:
            digests[name] = _digest(content)
        files.append(file)
    if digests != before:
        value = {formats.FIELD: _VERSION, **digests}
        _write(folder / MANIFEST, json.dumps(value, indent=1, sort_keys=True).encode() + b"\n")
    return files


def uninstall(skill: Path, project: Path, place: str) -> list[InstalledFile]:
    """Remove the copy of `skill` from the directory `place` of `project`, but not files that were changed since.

    Links are not followed. Raises OSError, RefusedError.
    """
    try:
        with open_file.inside(project, *Path(place).parts) as folder:
            known = _known(folder / MANIFEST)
            shipped = {str(source.relative_to(skill)): _digest(source.read_bytes()) for source in _files(skill)}
            names = sorted(name for name in {*known, *shipped} if ".." not in Path(name).parts and name[:1] != "/")
            states = {name: _removed(folder, Path(name), (known.get(name), shipped.get(name))) for name in names}
            if CHANGED not in states.values():
                (folder / MANIFEST).unlink(missing_ok=True)
    except (FileNotFoundError, NotADirectoryError):  # there is no copy, or a link leads to it
        return []
    return [InstalledFile(project / place / name, state) for name, state in states.items() if state]


def _removed(folder: Path, name: Path, digests: tuple[str | None, ...]) -> str:
    """Remove one file, and the directories that are empty then. Returns the state; empty if the file is missing."""
    try:
        with open_file.inside(folder, *name.parent.parts) as parent:
            if _digest(open_file.read_file(parent / name.name)) not in digests:
                return CHANGED
            (parent / name.name).unlink()
    except (FileNotFoundError, NotADirectoryError):
        return ""
    emptied(folder, name.parent)
    return REMOVED


def emptied(directory: Path, place: Path) -> None:
    """Remove the directory `place` of `directory`, and its parents below `directory`, as long as they are empty."""
    for path in (place, *place.parents)[:-1]:
        with suppress(OSError), open_file.inside(directory, *path.parent.parts) as parent:
            (parent / path.name).rmdir()


def _files(skill: Path) -> Iterator[Path]:
    for path in sorted(skill.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path


def _install(content: bytes, path: Path, installed: str | None, *, is_forced: bool) -> InstalledFile:
    """Write one file unless it was changed; `installed` is the digest of its last installation."""
    try:
        present = open_file.read_file(path, follow=True)
    except FileNotFoundError:
        if path.is_symlink():  # a broken link: it was made on purpose
            return InstalledFile(path, CHANGED)
        _write(path, content)
        return InstalledFile(path, WRITTEN)
    if present == content:
        return InstalledFile(path, CURRENT)
    if _digest(present) == installed:
        _write(path, content)
        return InstalledFile(path, REPLACED)
    if not is_forced:
        return InstalledFile(path, CHANGED)
    backup = back_up(path)
    _write(path, content)
    return InstalledFile(path, REPLACED, backup)


def _write(path: Path, content: bytes) -> None:
    """Write a file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_file.write(path, content, 0o755 if content.startswith(b"#!") else None)


def _known(manifest: Path) -> dict[str, str]:
    """Return the digests in a manifest; none if it cannot be read: then no file counts as installed."""
    try:
        value = json.loads(open_file.read_file(manifest))
    except (FileNotFoundError, ValueError):
        return {}
    if not isinstance(value, dict):
        return {}
    try:
        formats.check(manifest, value, _VERSION, "delete it; orchd then keeps every file that differs from its own")
    except formats.NewerFormatError as error:
        raise RefusedError(str(error), code="newer-format") from None
    return {name: digest for name, digest in value.items() if isinstance(digest, str)}


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
