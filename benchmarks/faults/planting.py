"""A copy of the project with a bug in it, for a row to catch. The product itself is never touched."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
_COPIED = ("orchd", "orchctl", "tests", "benchmarks", "docs")


class Plant(NamedTuple):
    """A bug: `old`, which occurs once in `file`, becomes `new`; `also` where two places guard against one fault."""

    what: str
    file: str
    old: str
    new: str
    also: Plant | None = None


def fits(plant: Plant) -> bool:
    """Return whether the bug can be planted in the product as it is."""
    is_there = (ROOT / plant.file).read_text().count(plant.old) == 1
    return is_there and (plant.also is None or fits(plant.also))


def planted(plant: Plant, directory: Path) -> Path:
    """Return the root of a copy with the bug in it."""
    for name in _COPIED:
        shutil.copytree(ROOT / name, directory / name, ignore=shutil.ignore_patterns("__pycache__", "results"))
    bug: Plant | None = plant
    while bug is not None:
        path = directory / bug.file
        text = path.read_text()
        if text.count(bug.old) != 1:
            raise SystemExit(
                f"{bug.file} has changed, the bug {bug.what!r} cannot be planted: fix the table in {__name__}"
            )
        path.write_text(text.replace(bug.old, bug.new))
        bug = bug.also
    return directory
