"""Lookup of skills: folders with a SKILL.md, a composition.json, or both."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from orchd.instance.system import open_file

SKILL = "SKILL.md"
COMPOSITION = "composition.json"
SHIPPED = Path(__file__).parents[1] / "skills"
INSTALLED = (".agent/skills", ".claude/skills", ".agents/skills")
"""Where `orchctl skill install` puts skills: for all CLIs, for claude, for codex."""
_LOCAL = ("skills", *INSTALLED)


def places(directory: Path, beside: Path | None = None) -> list[Path]:
    """List the folders of skills, in the order of the search.

    First the folder of the composition: `beside` is its file, and other skills stand next to its folder, or next to the
    file itself when that is not called composition.json. Then `skills`, `.agent/skills`, `.claude/skills` and
    `.agents/skills` in `directory`, then the folder that is installed with this package.
    """
    near = [] if beside is None else [beside.parent.parent if beside.name == COMPOSITION else beside.parent]
    return [*near, *(directory / place for place in _LOCAL), SHIPPED]


def find(name: str, among: Iterable[Path]) -> Path | None:
    """Return the folder of a skill; None when there is none."""
    if not name or "/" in name or "\0" in name or name in (".", ".."):
        return None
    return next((place / name for place in among if is_skill(place / name)), None)


def is_skill(folder: Path) -> bool:
    """Whether the folder has a skill."""
    return (folder / SKILL).is_file() or (folder / COMPOSITION).is_file()


def text_of(folder: Path) -> str:
    """Return the SKILL.md of a skill without the front matter; an empty text when there is none."""
    path = folder / SKILL
    if not path.is_file():
        return ""
    text = open_file.read_as_text(path, follow=True)
    if text.startswith("---\n"):
        _, end, rest = text[4:].partition("\n---\n")
        return rest.lstrip() if end else text
    return text


def names(directory: Path) -> Iterator[str]:
    """List the compositions that can be named without a path."""
    for place in places(directory):
        if place.is_dir():
            yield from sorted(folder.name for folder in place.iterdir() if (folder / COMPOSITION).is_file())


def all_from(directory: Path) -> list[Path]:
    """List the folder of every skill for `directory`, sorted by name; of equal names the first of the search."""
    by_name: dict[str, Path] = {}
    for place in places(directory):
        for folder in sorted(place.iterdir()) if place.is_dir() else ():
            if is_skill(folder):
                by_name.setdefault(folder.name, folder)
    return [by_name[name] for name in sorted(by_name)]
