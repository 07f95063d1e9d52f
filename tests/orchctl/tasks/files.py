"""Task files on the disk, for tests."""

from __future__ import annotations

import os
from pathlib import Path


def task(directory: Path, name: str, *lines: str, body: str = "Do it.") -> Path:
    """Write the file `subtask-NAME.md` in `directory`, with these lines in its front matter."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"subtask-{name}.md"
    path.write_text("\n".join(["---", *lines, "---", "", body, ""]))
    return path


def aged(path: Path, seconds: float) -> Path:
    """Set the modification time of the file that long before now."""
    modified_at = path.stat().st_mtime - seconds
    os.utime(path, (modified_at, modified_at))
    return path


def result(directory: Path, name: str, text: str = "# Result\n\nDone.\n") -> Path:
    """Write the result of a task now."""
    path = directory / "results" / f"{name}.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path
