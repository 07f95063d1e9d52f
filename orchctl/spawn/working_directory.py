"""The current directory of this process, which may have been deleted."""

from __future__ import annotations

import os
from pathlib import Path

MESSAGE = "the current directory was deleted: `cd` to a directory that exists and try again"


def here(otherwise: str | None = None) -> Path:
    """Return the current directory; when it was deleted, `otherwise` if that is an absolute path. Raises OSError."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        if otherwise is None or not otherwise.startswith("/"):
            raise
        return Path(otherwise)


def is_deleted() -> bool:
    """Return whether the current directory was deleted."""
    try:
        os.stat(".")  # noqa: PTH116 - Path("") is no path
        Path.cwd()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return False
