"""The text of `orchctl --version`: the version, the commit if it is known, and the protocol."""

from __future__ import annotations

import subprocess
from importlib.metadata import version
from pathlib import Path

from orchd.protocol.frames import VERSION

_PACKAGE = Path(__file__).parents[1]


def text() -> str:
    """Return one line."""
    known = commit()
    return f"orchctl {version('orchd')} ({f'commit {known}, ' if known else ''}protocol {VERSION})"


def commit() -> str:
    """Return the commit that the package was built from, or of the checkout that this runs from; else ""."""
    recorded = (_PACKAGE / "commit.txt").read_text().strip()  # git archive or setup.py writes the commit into it
    if not recorded.startswith("$"):
        return recorded
    if not (_PACKAGE.parent / ".git").exists():
        return ""
    command = ["git", "-C", str(_PACKAGE.parent), "rev-parse", "--short", "HEAD"]
    try:
        process = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return process.stdout.strip()
