"""Where skills are: folders with a SKILL.md, a composition.json, or both."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from orchd.instance.system import open_file

SKILL = "SKILL.md"
COMPOSITION = "composition.json"
SHIPPED = Path(__file__).parents[1] / "skills"
INSTALLED = (".agent/skills", ".claude/skills", ".agents/skills")
"""Where `orchctl skill install` puts skills: for everybody, for claude, for codex."""
_LOCAL = ("skills", *INSTALLED)


def places(directory: Path, beside: Path | None = None) -> list[Path]:
    """Folders of skills, in the order they are looked through.

    First where the composition is: `beside` is its file, and other skills stand next to its folder, or next to the
    file itself when that is not called composition.json. Then `skills`, `.agent/skills`, `.claude/skills` and
    `.agents/skills` in `directory`, then those that are installed with this package.
    """
    near = [] if beside is None else [beside.parent.parent if beside.name == COMPOSITION else beside.parent]
    return [*near, *(directory / place for place in _LOCAL), SHIPPED]


def find(name: str, among: Iterable[Path]) -> Path | None:
    """The folder of a skill, or None."""
    if not name or "/" in name or "\0" in name or name in (".", ".."):
        return None
    return next((place / name for place in among if is_skill(place / name)), None)


def is_skill(folder: Path) -> bool:
    """Whether there is a skill in it."""
    return (folder / SKILL).is_file() or (folder / COMPOSITION).is_file()


def text_of(folder: Path) -> str:
    """What its SKILL.md says, without the front matter; nothing when it has none."""
    path = folder / SKILL
    if not path.is_file():
        return ""
    text = open_file.read_as_text(path, follow=True)
    if text.startswith("---\n"):
        _, end, rest = text[4:].partition("\n---\n")
        return rest.lstrip() if end else text
    return text


def names(directory: Path) -> Iterator[str]:
    """Every composition that can be named without a path."""
    for place in places(directory):
        if place.is_dir():
            yield from sorted(one.name for one in place.iterdir() if (one / COMPOSITION).is_file())


def all_from(directory: Path) -> list[Path]:
    """The folder of every skill that is found from `directory`, by name; of two of one name the one that is meant."""
    by_name: dict[str, Path] = {}
    for place in places(directory):
        for folder in sorted(place.iterdir()) if place.is_dir() else ():
            if is_skill(folder):
                by_name.setdefault(folder.name, folder)
    return [by_name[name] for name in sorted(by_name)]
