"""What a disk may hold when the power is cut: the journal of all changes, played up to any one of them.

A file's content is on the disk for certain once the file was synced; its name once it or its directory was. What came
later may be there or not. Three disks are made at each moment: one that kept everything, one that kept only what was
certain, and one that kept some of the rest: any of the writes to a file, one of them torn, and the names up to some
change.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

_HEAD = struct.Struct("qqqq")
_SECTOR = 512
KINDS = ("all", "certain", "some")


class Change(NamedTuple):
    """One line of the journal: the change and the path; `a` is a reply that a client outside received."""

    kind: str
    path: str
    offset: int
    data: bytes


def read(path: Path) -> list[Change]:
    """Return all changes, in their order."""
    content, at, changes = path.read_bytes(), 0, []
    while at + _HEAD.size <= len(content):
        kind, offset, name, data = _HEAD.unpack_from(content, at)
        start, at = at + _HEAD.size, at + _HEAD.size + name + data
        changes.append(Change(chr(kind), content[start : start + name].decode(), offset, content[start + name : at]))
    return changes


def note(path: Path, what: str) -> None:
    """Write into the journal that a client received this, or that the test saw it."""
    name = what.encode()
    with path.open("ab", buffering=0) as file:
        file.write(_HEAD.pack(ord("a"), 0, len(name), 0) + name)


@dataclass
class File:
    """One inode: its certain content, and the changes since."""

    certain: bytes = b""
    since: list[Change] = field(default_factory=list)

    def content(self, kind: str, chance: random.Random) -> bytes:
        """Return the content on a disk of this kind."""
        if kind == "certain":
            return self.certain
        kept_changes = self.since if kind == "all" else [change for change in self.since if chance.random() < 0.5]
        content = bytearray(self.certain)
        for change in kept_changes:
            _apply(content, change, len(change.data))
        if kind == "some" and self.since and (torn := chance.choice(self.since)) not in kept_changes:
            _apply(content, torn, len(torn.data) // 2 // _SECTOR * _SECTOR)
        return bytes(content)


def _apply(content: bytearray, change: Change, length: int) -> None:
    if change.kind == "t":
        del content[change.offset :]
        content.extend(bytes(change.offset - len(content)))
        return
    content.extend(bytes(max(0, change.offset - len(content))))
    content[change.offset : change.offset + length] = change.data[:length]


class Disk:
    """Files and names after some of the changes."""

    def __init__(self) -> None:
        self._names: dict[str, File] = {}
        self._changes: list[
            tuple[str, str, File | None]
        ] = []  # of names: directory, path, whose it is; not certain yet
        self._certain: dict[str, File] = {}

    def play(self, change: Change) -> None:
        """Apply one more change."""
        match change.kind:
            case "c":
                self._name(change.path, File())
            case "r":
                self._name(change.data.decode(), self._names.get(change.path, File()))
                self._name(change.path, None)
            case "l":
                self._name(change.data.decode(), self._file(change.path))
            case "u":
                self._name(change.path, None)
            case "w" | "t":
                self._file(change.path).since.append(change)
            case "s":
                self._sync(change.path)

    def _file(self, path: str) -> File:
        if path not in self._names:  # made before the layer was loaded
            self._names[path] = self._certain[path] = File()
        return self._names[path]

    def _name(self, path: str, file: File | None) -> None:
        if file is None:
            self._names.pop(path, None)
        else:
            self._names[path] = file
        self._changes.append((path.rpartition("/")[0], path, file))

    def _sync(self, path: str) -> None:
        """Sync a file: its content and, as all common file systems do, its name; or a directory: the names in it."""
        if (file := self._names.get(path)) is not None:
            unused_chance = random.Random(0)
            file.certain, file.since = file.content("all", unused_chance), []
        settled = [change for change in self._changes if path in change[:2]]
        for change in settled:
            _settle(self._certain, change)
        self._changes = [change for change in self._changes if path not in change[:2]]

    def state(self, kind: str, chance: random.Random) -> Iterator[tuple[str, bytes]]:
        """The files that a disk of this kind holds, with their contents."""
        names = dict(self._certain)
        kept_changes = {"all": len(self._changes), "certain": 0}.get(kind, chance.randint(0, len(self._changes)))
        for change in self._changes[:kept_changes]:
            _settle(names, change)
        for path, file in names.items():
            yield path, file.content(kind, chance)


def _settle(names: dict[str, File], change: tuple[str, str, File | None]) -> None:
    _, path, file = change
    if file is None:
        names.pop(path, None)
    else:
        names[path] = file


def write(directory: Path, files: Mapping[str, bytes], left_out: Sequence[str]) -> None:
    """Write such a disk without the files of memory file systems. After a reboot the ids of this boot are foreign."""
    for name, content in files.items():
        if name.startswith("home/") and not name.endswith(tuple(left_out)):
            path = directory / name
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.write_bytes(content)
