"""`orchctl skill install|list|show`: skills for agents, and the skill that teaches an LLM to orchestrate."""

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
    """Write the skill that teaches an LLM to orchestrate; exit code 1 when an edited file was not replaced."""
    places = [args.dir] if args.dir else [*_places(Path.cwd())]
    places += [place for place, is_chosen in ((_CLAUDE, args.claude), (_CODEX, args.codex)) if is_chosen]
    copies = {f"{place.rstrip('/')}/{SKILL}": Path.cwd() / place / SKILL for place in dict.fromkeys(places)}
    files: list[InstalledFile] = []
    lines = []
    for name, folder in copies.items():
        copy = installing.install(skills.SHIPPED / SKILL, folder, is_forced=args.force)
        files += copy
        if all(file.done == installing.CURRENT for file in copy):
            lines.append(f"{name} is up to date")
            continue
        for file in copy:
            kept = f", the old file is {file.kept.name}" if file.kept else ""
            lines.append(f"{name}/{file.path.relative_to(folder)}: {file.done}{kept}")
    value = [
        {"path": str(file.path), "done": file.done, "kept": str(file.kept) if file.kept else None} for file in files
    ]
    console.result({"files": value}, map(render.clean_line, lines), as_json=args.json)
    changed = [file for file in files if file.done == installing.CHANGED]
    if changed and not args.json:
        console.warn(
            "changed: files that you edited were not replaced; --force replaces them and keeps the old files as .bak"
        )
    return exit_codes.REFUSED if changed else exit_codes.OK


def _places(directory: Path) -> Iterator[str]:
    """Yield the folders of skills of each CLI that is installed, or that has a directory in the project."""
    yield _EVERYBODY
    project = project_of(directory)
    own = {path.name for path in (project / ".claude").glob("*")} - {"state"}  # which the daemon makes by itself
    if shutil.which("claude") or own:
        yield _CLAUDE
    if shutil.which("codex") or (project / ".agents").is_dir():
        yield _CODEX


def show_all(args: SimpleNamespace) -> int:
    """Print a line for each skill that is available here: its name, whether it is a composition, and its path."""
    maps = [_map(folder) for folder in skills.all_from(Path.cwd())]
    rows = [
        [skill["name"], "composite" if skill["composite"] else "", skill["path"], skill["description"]]
        for skill in maps
    ]
    console.result({"skills": maps}, map(render.clean_line, render.aligned(render.filled(rows))), as_json=args.json)
    return exit_codes.OK


def show(args: SimpleNamespace) -> int:
    """Print the SKILL.md of a skill, or its composition when it has no SKILL.md."""
    folder = skills.find(args.skill, skills.places(Path.cwd()))
    if folder is None:
        known = ", ".join(folder.name for folder in skills.all_from(Path.cwd()))
        raise UsageError(f"unknown skill: {args.skill!r}; available skills: {known}", code="unknown-skill")
    path = folder / skills.SKILL
    text = _text(path if path.is_file() else folder / skills.COMPOSITION)
    console.result({**_map(folder), "text": text}, map(render.file_line, text.splitlines()), as_json=args.json)
    return exit_codes.OK


def _text(path: Path) -> str:
    return open_file.read_as_text(path, follow=True)


def _map(folder: Path) -> dict[str, Any]:
    """Return the skill in `folder` as JSON. The description is empty when it cannot be read."""
    path = folder / skills.SKILL
    return {
        "name": folder.name,
        "path": str(folder),
        "composite": (folder / skills.COMPOSITION).is_file(),
        "description": front_matter.described(_text(path)) if path.is_file() else "",
    }
