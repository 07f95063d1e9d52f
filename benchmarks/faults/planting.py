"""A copy of the project with a bug in it, for a row to catch. The product itself is never touched."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
_COPIED = ("orchd", "orchctl", "tests", "benchmarks", "docs")


class Plant(NamedTuple):
    """A bug: `old`, which is once in `file`, becomes `new`."""

    what: str
    file: str
    old: str
    new: str


def fits(plant: Plant) -> bool:
    """Whether it can be planted in the product as it is."""
    return (ROOT / plant.file).read_text().count(plant.old) == 1


def planted(plant: Plant, directory: Path) -> Path:
    """The root of a copy with the bug in it."""
    for name in _COPIED:
        shutil.copytree(ROOT / name, directory / name, ignore=shutil.ignore_patterns("__pycache__", "results"))
    path = directory / plant.file
    text = path.read_text()
    if text.count(plant.old) != 1:
        raise SystemExit(f"{plant.file} has changed, the bug {plant.what!r} cannot be planted: mend {__name__}'s table")
    path.write_text(text.replace(plant.old, plant.new))
    return directory
