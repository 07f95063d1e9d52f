"""Versions of the files that we write: an unversioned file is version 1, and a newer version is refused in words."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

FIELD = "version"


class NewerFormatError(Exception):
    """A file that a newer version wrote; the message names it, both versions and the way out."""


def check(path: str | Path, whole: Mapping[str, object], known: int, way_out: str) -> None:
    """Raises NewerFormatError for a file with a version above `known`, and for a version that is none."""
    version = whole.get(FIELD, 1)
    if type(version) is int and 1 <= version <= known:
        return
    raise NewerFormatError(
        f"{path} has the version {version!r:.40} and this orchd reads up to {known}: install the orchd that wrote it, "
        f"or {way_out}"
    )
