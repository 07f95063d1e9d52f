"""Backups: moving a file out of the way without losing it."""

from __future__ import annotations

from itertools import count
from pathlib import Path


def back_up(path: Path) -> Path:
    """Rename a file to its name and `.bak`, or `.bak2` when that is taken, and so on. Returns the new path."""
    names = (path.with_name(f"{path.name}.bak{number if number > 1 else ''}") for number in count(1))
    return path.rename(next(name for name in names if not name.is_symlink() and not name.exists()))
