"""Files that a user names for the output of a command."""

from __future__ import annotations

from pathlib import Path

from orchd.instance.system import os_errors


def write(name: str, text: str, *, errors: str = "strict") -> None:
    """Write `text` to the file, which may also be a device. Raises OSError, which always has the name."""
    with os_errors.naming(name):
        Path(name).write_text(text, encoding="utf-8", errors=errors)
