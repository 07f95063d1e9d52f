"""What a pm has done so far, one JSON object a line in its directory, so that the next one can go on after any death.

An item goes through `taking` (asked of the list), `taken`, `started` (it has an agent) and `over`; or it was `dropped`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from orchctl.errors import RefusedError
from orchctl.pm.items import Item
from orchd.wire import formats, opening

RUNS = ".agent/runs"
_NAME = "journal.jsonl"
_VERSION = 1  # of a journal, in its first line


class Journal:
    """The journal of one pm, `.agent/runs/pm-N`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.source = ""
        self.is_finished = False
        self.entries: dict[str, dict[str, Any]] = {}
        self._before = ""  # what goes before the next line
        path = directory / _NAME
        for line in _lines(path):
            self._read(line)
            self._before = "\n"  # the last line may have been cut off

    def _read(self, line: str) -> None:
        try:
            said = json.loads(line)
        except ValueError:  # cut off by a death: what it was to say had not been done
            return
        if not isinstance(said, dict):  # as above
            return
        try:
            formats.check(self.directory / _NAME, said, _VERSION, "move its directory away to begin a new pm")
        except formats.NewerFormatError as error:
            raise RefusedError(str(error), code="newer-format") from None
        self.source = said.get("source", self.source)
        self.is_finished = said.get("finished", self.is_finished)
        if "id" in said:
            self.entries.setdefault(said["id"], {}).update(said)
            if said["state"] == "dropped":
                del self.entries[said["id"]]

    def add(self, **said: Any) -> None:
        """Remember it."""
        line = json.dumps(said)
        opening.append_file(self.directory / _NAME, f"{self._before}{line}\n".encode())
        self._before = ""
        self._read(line)

    def of(self, *states: str) -> list[dict[str, Any]]:
        """The entries that are in one of these states."""
        return [entry for entry in self.entries.values() if entry["state"] in states]

    def prompt(self, entry: dict[str, Any]) -> Path:
        """The file with the prompt of an item."""
        return self.directory / f"{entry['file']}.prompt.md"

    def result(self, entry: dict[str, Any]) -> Path:
        """The file for the result of an item."""
        return self.directory / f"{entry['file']}.md"


def _lines(path: Path) -> list[str]:
    try:
        return opening.read_file(path).decode(errors="replace").split("\n")
    except FileNotFoundError:
        return []


def item_of(entry: dict[str, Any]) -> Item:
    """The item that an entry is about."""
    known: dict[str, Any] = {}
    for name, value in entry["item"].items():
        if name in Item.__dataclass_fields__:  # an older version had others
            known[name] = tuple(value) if isinstance(value, list) else value
    return Item(**known)


def entry_of(item: Item, file: str) -> dict[str, Any]:
    """What begins the story of an item, whose files are called `file`."""
    known = asdict(item)
    del known["files"]  # they are shown before it begins, and no older version knows them
    return {"id": item.id, "state": "taking", "item": known, "file": file}


def unfinished(directory: Path, source: str) -> Journal | None:
    """The last pm in `directory` that took from `source`, if it did not come to its end."""
    for _, path in sorted(_numbered(directory), reverse=True):
        journal = Journal(path)
        if journal.source == source:
            return None if journal.is_finished else journal
    return None


def begun(directory: Path, source: str) -> Journal:
    """A new one, with a directory of its own."""
    number = max((number for number, _ in _numbered(directory)), default=0) + 1
    path = directory / RUNS / f"pm-{number}"
    path.mkdir(parents=True)
    journal = Journal(path)
    journal.add(version=_VERSION, source=source)
    return journal


def _numbered(directory: Path) -> Iterator[tuple[int, Path]]:
    for path in (directory / RUNS).glob("pm-*"):
        digits = path.name.removeprefix("pm-")
        if digits.isascii() and digits.isdigit():
            yield int(digits), path


@contextmanager
def alone(*places: Path) -> Iterator[None]:
    """No other pm works in these directories meanwhile. Raises RefusedError when one does."""
    with ExitStack() as stack:
        for place in dict.fromkeys(places):
            _lock(stack, place)
        yield


def _lock(stack: ExitStack, place: Path) -> None:
    import fcntl

    place.mkdir(parents=True, exist_ok=True)
    lock = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    stack.callback(os.close, lock)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        what = f"another orchctl pm is at work in {place}: wait for it, or end it; its developers go on"
        raise RefusedError(what, code="pm-running") from None
