"""Captured environments: private files, since they hold secrets, shared by content and deleted when unused.

The new environments of a request are one file: a single environment is stored under its digest, several in a pack,
which holds the common variables once and the differences of each.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Container, Iterable, Mapping
from pathlib import Path

import msgpack

from orchd.instance.system.open_file import read_file
from orchd.instance.system.private_file import write_private

_PACK = ".pack"
Variables = Mapping[str, str]


class Environments:
    """A directory of environments by the digest of their content."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._known: dict[str, tuple[Variables, Variables]] = {}  # of each what is common and what differs
        self._kept: set[str] = set()  # files of one on the disk; after a restart not all of them are read again
        self._packs: dict[str, set[str]] = {}  # by file, the digests in it that are in use

    def keep(self, variables: Variables) -> str:
        """Write `variables` to the disk before this returns. Returns their digest. Raises OSError."""
        return self.keep_all(variables, [{}])[0]

    def keep_all(self, base: Variables, changes: Iterable[Variables]) -> list[str]:
        """Write `base` with each of `changes` to the disk as one file. Returns their digests. Raises OSError."""
        common = {name: _encoded(name, value) for name, value in base.items()}
        wanted = [(hashlib.sha256(_content(common, change)).hexdigest()[:32], change) for change in changes]
        new = {digest: change for digest, change in wanted if digest not in self._known}
        absent = {digest: change for digest, change in new.items() if not (self._directory / digest).exists()}
        if len(absent) > 1:
            content: bytes = msgpack.packb(
                [dict(base), {digest: dict(absent[digest]) for digest in absent}], **_AS_BYTES
            )
            name = hashlib.sha256(content).hexdigest()[:32] + _PACK
            write_private(self._directory / name, content)
            self._packs[name] = set(absent)
        else:
            for digest, change in absent.items():
                write_private(self._directory / digest, _content(common, change))
            self._kept |= absent.keys()
        self._kept |= new.keys() - absent.keys()
        self._known.update({digest: (base, change) for digest, change in new.items()})
        return [digest for digest, _ in wanted]

    def get(self, digest: str) -> Variables:
        """Return the variables. Raises FileNotFoundError when the file was deleted."""
        if digest not in self._known:
            content = read_file(self._directory / digest)
            pairs = (os.fsdecode(pair).partition("=") for pair in content.split(b"\0") if pair)
            self._known[digest] = ({name: value for name, _, value in pairs}, {})
        base, change = self._known[digest]
        return {**base, **change}

    def drop_all_but(self, used: Container[str]) -> None:
        """Delete the files of environments that no agent needs any more."""
        for digest in [digest for digest in self._kept if digest not in used]:
            self._kept.discard(digest)
            self._known.pop(digest, None)
            (self._directory / digest).unlink(missing_ok=True)
        for name, digests in list(self._packs.items()):
            for digest in [digest for digest in digests if digest not in used]:
                digests.discard(digest)
                self._known.pop(digest, None)
            if not digests:
                del self._packs[name]
                (self._directory / name).unlink(missing_ok=True)

    def left(self, used: Container[str]) -> set[str]:
        """Return the digests that an earlier daemon left and no unfinished agent has."""
        digests: set[str] = set()
        for path in self._directory.iterdir():
            is_pack = path.suffix == _PACK and self._read_pack(path)
            digests |= self._packs[path.name] if is_pack else {path.name}
        return {digest for digest in digests if digest not in used}

    def sweep(self, used: Container[str]) -> None:
        """Delete what an earlier daemon left and no agent needs; the rest is deleted when its agents have ended."""
        for path in self._directory.iterdir():
            if path.suffix == _PACK and self._read_pack(path):
                continue
            if path.name in used:
                self._kept.add(path.name)
            else:
                path.unlink()
        self.drop_all_but(used)

    def _read_pack(self, path: Path) -> bool:
        """Read a pack. Returns whether it was written completely."""
        try:
            base, changes = msgpack.unpackb(read_file(path), **_AS_BYTES)
            environments = {digest: (base, change) for digest, change in changes.items()}
        except (ValueError, TypeError, AttributeError, msgpack.UnpackException):
            return False
        self._known.update(environments)
        self._packs[path.name] = set(environments)
        return True


_AS_BYTES = {"unicode_errors": "surrogateescape"}  # what is not UTF-8 comes through unharmed (PEP 383)


def _encoded(name: str, value: str) -> bytes:
    return os.fsencode(f"{name}={value}")


def _content(common: Mapping[str, bytes], change: Variables) -> bytes:
    pairs = {**common, **{name: _encoded(name, value) for name, value in change.items()}}
    return b"\0".join(pairs[name] for name in sorted(pairs))
