"""Putting a file out of the way without losing it."""

from __future__ import annotations

from itertools import count
from pathlib import Path


def put_aside(path: Path) -> Path:
    """Give a file its name and `.bak`, or `.bak2` when that is taken, and so on. Returns where it is now."""
    names = (path.with_name(f"{path.name}.bak{number if number > 1 else ''}") for number in count(1))
    return path.rename(next(one for one in names if not one.is_symlink() and not one.exists()))
