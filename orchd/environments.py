"""Captured environments: secrets, so they are files of their own, private, shared by content, and gone when unused."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Container, Mapping
from pathlib import Path

from orchd.wire.opening import read_file
from orchd.wire.private import write_private


class Environments:
    """A directory of environments by the digest of their content."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._known: dict[str, dict[str, str]] = {}
        self._kept: set[str] = set()  # what is on the disk; after a restart not all of it is read again

    def keep(self, variables: Mapping[str, str]) -> str:
        """Write it down, on the disk before this returns, and say under which digest. Raises OSError."""
        content = b"\0".join(os.fsencode(f"{name}={value}") for name, value in sorted(variables.items()))
        digest = hashlib.sha256(content).hexdigest()[:32]
        if digest not in self._known:
            if not (path := self._directory / digest).exists():
                write_private(path, content)
            self._known[digest] = dict(variables)
            self._kept.add(digest)
        return digest

    def get(self, digest: str) -> Mapping[str, str]:
        """The variables. Raises FileNotFoundError when somebody deleted them."""
        if digest not in self._known:
            content = read_file(self._directory / digest)
            pairs = (os.fsdecode(pair).partition("=") for pair in content.split(b"\0") if pair)
            self._known[digest] = {name: value for name, _, value in pairs}
        return self._known[digest]

    def drop_all_but(self, used: Container[str]) -> None:
        """Delete what nobody needs any more."""
        for digest in [digest for digest in self._kept if digest not in used]:
            self._kept.discard(digest)
            self._known.pop(digest, None)
            (self._directory / digest).unlink(missing_ok=True)

    def left(self, used: Container[str]) -> set[str]:
        """What an earlier daemon left and no agent that is not finished has."""
        return {path.name for path in self._directory.iterdir() if path.name not in used}

    def sweep(self, used: Container[str]) -> None:
        """Delete what an earlier daemon left and nobody needs; what somebody needs goes when they have ended."""
        for path in self._directory.iterdir():
            if path.name in used:
                self._kept.add(path.name)
            else:
                path.unlink()
