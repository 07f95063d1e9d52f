"""`orchctl skill install|list|show`: what agents can be told to work with, and how an LLM learns to use all this."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from orchctl import exit_codes
from orchctl.errors import UsageError
from orchctl.render import text as render
from orchctl.skills import find as skills
from orchctl.skills import install as installing
from orchctl.skills.install import SKILL, InstalledFile
from orchctl.tasks import front_matter
from orchctl.terminal import console
from orchd.instance.projects import project_of
from orchd.instance.system import open_file

_EVERYBODY, _CLAUDE, _CODEX = skills.INSTALLED


def install(args: SimpleNamespace) -> int:
    """Write the skill that teaches an LLM to orchestrate; exit code 1 when a changed file was left alone."""
    found_places = [args.dir] if args.dir else _found(Path.cwd())
    asked = [place for place, is_asked in ((_CLAUDE, args.claude), (_CODEX, args.codex)) if is_asked]
    words = dict.fromkeys([*found_places, *asked])
    source = skills.SHIPPED / SKILL
    folders = {f"{word.rstrip('/')}/{SKILL}": Path.cwd() / word / SKILL for word in words}
    done = {word: installing.install(source, folder, is_forced=args.force) for word, folder in folders.items()}
    files = [file for found in done.values() for file in found]
    value = [
        {"path": str(file.path), "done": file.done, "kept": str(file.kept) if file.kept else None} for file in files
    ]
    lines = [line for word, found in done.items() for line in _installed(word, folders[word], found)]
    console.result({"files": value}, map(render.clean_line, lines), as_json=args.json)
    changed = [file for file in files if file.done == installing.CHANGED]
    if changed and not args.json:
        console.warn("changed: what you changed was left alone; --force replaces it and keeps the old one as .bak")
    return exit_codes.REFUSED if changed else exit_codes.OK


def _found(directory: Path) -> Iterator[str]:
    """Where the CLIs look for skills that are installed, or that the project has a directory of."""
    yield _EVERYBODY
    project = project_of(directory)
    own = {one.name for one in (project / ".claude").glob("*")} - {"state"}  # which the daemon makes by itself
    if shutil.which("claude") or own:
        yield _CLAUDE
    if shutil.which("codex") or (project / ".agents").is_dir():
        yield _CODEX


def _installed(word: str, folder: Path, found: list[InstalledFile]) -> Iterator[str]:
    if all(file.done == installing.CURRENT for file in found):
        yield f"{word} is up to date"
        return
    for file in found:
        kept = f", the old one is {file.kept.name}" if file.kept else ""
        yield f"{word}/{file.path.relative_to(folder)}: {file.done}{kept}"


def show_all(args: SimpleNamespace) -> int:
    """A line for each skill that is found from here: its name, whether it is a composition, and where it is."""
    found = [_map(folder) for folder in skills.all_from(Path.cwd())]
    rows = [[one["name"], "composite" if one["composite"] else "", one["path"], one["description"]] for one in found]
    console.result({"skills": found}, map(render.clean_line, render.aligned(render.filled(rows))), as_json=args.json)
    return exit_codes.OK


def show(args: SimpleNamespace) -> int:
    """What a skill says: its SKILL.md, or its composition when it has no other."""
    folder = skills.find(args.skill, skills.places(Path.cwd()))
    if folder is None:
        known = ", ".join(one.name for one in skills.all_from(Path.cwd()))
        raise UsageError(f"{args.skill!r} is no skill that is found from here; there are {known}", code="unknown-skill")
    path = folder / skills.SKILL
    text = _text(path if path.is_file() else folder / skills.COMPOSITION)
    console.result({**_map(folder), "text": text}, map(render.file_line, text.splitlines()), as_json=args.json)
    return exit_codes.OK


def _text(path: Path) -> str:
    return open_file.read_as_text(path, follow=True)


def _map(folder: Path) -> dict[str, Any]:
    return {
        "name": folder.name,
        "path": str(folder),
        "composite": (folder / skills.COMPOSITION).is_file(),
        "description": _description(folder),
    }


def _description(folder: Path) -> str:
    """What its front matter says it is for; nothing when that cannot be read."""
    path = folder / skills.SKILL
    if not path.is_file():
        return ""
    return front_matter.described(_text(path))
