"""Skills that are shipped with this package, put where an LLM looks for them, and never over what somebody changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from orchctl.errors import RefusedError
from orchctl.skills.backups import put_aside
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


class File(NamedTuple):
    """What was done about one file. `kept` is where the old one went when it was replaced by force."""

    path: Path
    done: str
    kept: Path | None = None


def install(skill: Path, folder: Path, *, is_forced: bool) -> list[File]:
    """Put the files of `skill` into `folder`. One that differs from all that was ever installed is left alone."""
    before = _known(folder / MANIFEST)
    known = dict(before)
    found = []
    for source in _files(skill):
        name = str(source.relative_to(skill))
        content = source.read_bytes()
        file = _install(content, folder / name, known.get(name), is_forced=is_forced)
        if file.done != CHANGED:
            known[name] = _digest(content)
        found.append(file)
    if known != before:
        value = {formats.FIELD: _VERSION, **known}
        _write(folder / MANIFEST, json.dumps(value, indent=1, sort_keys=True).encode() + b"\n")
    return found


def uninstall(skill: Path, project: Path, place: str) -> list[File]:
    """Remove the copy of `skill` from the directory `place` of `project`, but for files that were changed since.

    No link is followed. Raises OSError, RefusedError.
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
    return [File(project / place / name, state) for name, state in states.items() if state]


def _removed(folder: Path, name: Path, digests: tuple[str | None, ...]) -> str:
    """Remove one file, and the directories in `folder` that it was the last of: what was done, empty if nothing."""
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
    """Remove the directory `place` of `directory`, and those above it up to that, as long as nothing is in them."""
    for one in (place, *place.parents)[:-1]:
        with suppress(OSError), open_file.inside(directory, *one.parent.parts) as parent:
            (parent / one.name).rmdir()


def _files(skill: Path) -> Iterator[Path]:
    for path in sorted(skill.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path


def _install(content: bytes, path: Path, installed: str | None, *, is_forced: bool) -> File:
    try:
        there = open_file.read_file(path, follow=True)
    except FileNotFoundError:
        if path.is_symlink():  # to nowhere: whoever made it may want something with it
            return File(path, CHANGED)
        _write(path, content)
        return File(path, WRITTEN)
    if there == content:
        return File(path, CURRENT)
    if _digest(there) == installed:
        _write(path, content)
        return File(path, REPLACED)
    if not is_forced:
        return File(path, CHANGED)
    kept = put_aside(path)
    _write(path, content)
    return File(path, REPLACED, kept)


def _write(path: Path, content: bytes) -> None:
    """The whole of a file or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_file.write(path, content, 0o755 if content.startswith(b"#!") else None)


def _known(manifest: Path) -> dict[str, str]:
    """The digests in a manifest; one that cannot be read says nothing, so that no file counts as ours."""
    try:
        value = json.loads(open_file.read_file(manifest))
    except (FileNotFoundError, ValueError):
        return {}
    if not isinstance(value, dict):
        return {}
    try:
        formats.check(manifest, value, _VERSION, "delete it: then no file counts as installed by orchd")
    except formats.NewerFormatError as error:
        raise RefusedError(str(error), code="newer-format") from None
    return {name: digest for name, digest in value.items() if isinstance(digest, str)}


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
