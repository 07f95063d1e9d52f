"""Versions of our files: an unversioned file is version 1, and a newer version is refused with a message."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

FIELD = "version"


class NewerFormatError(Exception):
    """A newer version of orchd wrote a file; the message names it, both versions and the way out."""


def check(path: str | Path, whole: Mapping[str, object], known: int, way_out: str) -> None:
    """Raise NewerFormatError for a version above `known`, and for an invalid version."""
    version = whole.get(FIELD, 1)
    if type(version) is int and 1 <= version <= known:
        return
    raise NewerFormatError(
        f"{path} has the version {version!r:.40}, but this orchd reads at most {known}; install the orchd that wrote "
        f"it, or {way_out}"
    )
