"""Files that a user names for the output of a command."""

from __future__ import annotations

from pathlib import Path


def write(name: str, text: str, *, errors: str = "strict") -> None:
    """Write `text` to the file, which may also be a device. Raises OSError, which always has the name."""
    try:
        Path(name).write_text(text, encoding="utf-8", errors=errors)
    except OSError as error:
        error.filename = name  # an error of a write, unlike that of an open, has none
        raise
