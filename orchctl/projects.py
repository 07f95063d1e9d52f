"""Which project a directory belongs to: its session is that of everything begun there."""

from __future__ import annotations

from pathlib import Path


def project_of(directory: Path) -> Path:
    """The root of the git checkout that `directory` is in, or the directory itself where there is none."""
    return next((one for one in (directory, *directory.parents) if (one / ".git").exists()), directory)
