"""The journal of a pm: a JSON object on each line of a file, from which the next pm continues after a crash.

The states of an item are `taking` (requested from the list), `taken`, `started` (it has an agent) and `over`, or
`dropped`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from orchctl.errors import RefusedError
from orchctl.pm.work_item import WorkItem
from orchd.instance import formats
from orchd.instance.system import open_file

RUNS = ".agent/runs"
_NAME = "journal.jsonl"
_VERSION = 1  # of a journal, in its first line
_BEGUN: dict[str, type] = {"item": dict, "file": str}
# The keys of an entry in each state besides its id.
_NEEDED: dict[str, dict[str, type]] = {
    "taking": _BEGUN,
    "taken": _BEGUN,
    "started": {**_BEGUN, "agent": str},
    "over": {**_BEGUN, "row": dict},
    "dropped": {},
}


class Journal:
    """The journal of a pm, `.agent/runs/pm-N`. Raises RefusedError (`newer-format`) for a later version of it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.source = ""
        self.is_finished = False
        self.entries: dict[str, dict[str, Any]] = {}
        self._before = ""  # what goes before the next line
        path = directory / _NAME
        self.broken: RefusedError | None = None  # the first line that cannot be read
        try:
            lines = open_file.read_file(path).split(b"\n")
        except FileNotFoundError:
            lines = []
        for number, line in enumerate(lines, 1):
            try:
                self._read(line)
            except _BrokenLineError as error:
                what = (
                    f"{path} line {number}: {error}; correct or remove the line and run the "
                    f"same command again, or move {path.parent} elsewhere to start a new pm, which does not know the "
                    "developers of this one"
                )
                details = {"path": str(path), "line": number}
                self.broken = self.broken or RefusedError(what, code="broken-journal", details=details)
            self._before = "\n"  # the last line may have been cut off

    def _read(self, line: bytes) -> None:
        """Apply a record. An empty line, and a line cut off by a crash, have no effect.

        A journal is plain ASCII, and a line that was cut off lacks its end. After a power cut there
        may be zeros in place of it. Raises _BrokenLineError, and RefusedError (`newer-format`).
        """
        if (record := _record(line)) is None:
            return
        try:
            formats.check(self.directory / _NAME, record, _VERSION, "move its directory elsewhere to start a new pm")
        except formats.NewerFormatError as error:
            raise RefusedError(str(error), code="newer-format") from None
        self.source = str(record.get("source", self.source))
        self.is_finished = bool(record.get("finished", self.is_finished))
        if "id" in record:
            entry = {**self.entries.get(_text(record, "id"), {}), **record}
            state = _text(entry, "state")
            if state not in _NEEDED:
                raise _BrokenLineError(f"unknown state of an item: {state!r:.40}")
            for key in _NEEDED[state]:
                if not isinstance(entry.get(key), _NEEDED[state][key]):
                    raise _BrokenLineError(
                        f"the item {entry['id']!r:.60} is {state}, but its `{key}` is missing or not valid"
                    )
            self.entries[entry["id"]] = entry
            if entry["state"] == "dropped":
                del self.entries[entry["id"]]

    def add(self, **record: Any) -> None:
        """Append a record."""
        line = json.dumps(record)
        open_file.append_file(self.directory / _NAME, f"{self._before}{line}\n".encode())
        self._before = ""
        self._read(line.encode())

    def of(self, *states: str) -> list[dict[str, Any]]:
        """Return the entries in any of these states."""
        return [entry for entry in self.entries.values() if entry["state"] in states]

    def prompt(self, entry: dict[str, Any]) -> Path:
        """Return the prompt file of an item."""
        return self.directory / f"{entry['file']}.prompt.md"

    def result(self, entry: dict[str, Any]) -> Path:
        """Return the result file of an item."""
        return self.directory / f"{entry['file']}.md"


class _BrokenLineError(ValueError):
    """A line that is not valid, and not the result of a crash."""


def _record(line: bytes) -> dict[str, Any] | None:
    """Return the object in a line; None for an empty line and for a line cut off by a crash, which has no effect.

    A journal is plain ASCII, and a line that was cut off lacks its end. After a power cut there may
    be zeros in place of it. Raises _BrokenLineError.
    """
    text = line.rstrip(b"\0").strip()
    if not text:
        return None
    try:
        record = json.loads(text.decode("ascii"))
    except UnicodeDecodeError as error:
        raise _BrokenLineError(f"the byte {text[error.start]:#04x} is not valid in a journal") from None
    except json.JSONDecodeError as error:
        if not text.startswith(b"{") or (text.endswith(b"}") and error.pos < len(text)):
            raise _BrokenLineError(f"column {error.colno} is not JSON: {error.msg}") from None
        return None
    except (ValueError, RecursionError) as error:
        raise _BrokenLineError(str(error)) from None
    if not isinstance(record, dict):
        raise _BrokenLineError("it is not a JSON object")
    return record


def _text(record: Mapping[str, Any], key: str) -> str:
    if not isinstance(value := record.get(key), str):
        raise _BrokenLineError(f"`{key}` is missing or not a string")
    return value


def item_of(entry: dict[str, Any]) -> WorkItem:
    """Return the item of an entry."""
    values: dict[str, Any] = {}
    for name, value in entry["item"].items():
        if name in WorkItem.__dataclass_fields__:  # an older version had others
            values[name] = tuple(value) if isinstance(value, list) else value
    return WorkItem(**values)


def entry_of(item: WorkItem, file: str) -> dict[str, Any]:
    """Return the first record of an item, whose files are named `file`."""
    values = asdict(item)
    del values["files"]  # printed before it starts, and unknown to older versions
    return {"id": item.id, "state": "taking", "item": values, "file": file}


def unfinished(directory: Path, source: str) -> Journal | None:
    """Return the journal of the last pm in `directory` that took from `source`, unless it finished."""
    for _, path in sorted(_numbered(directory), reverse=True):
        journal = Journal(path)
        is_ours = is_same(journal.source, source)
        if is_ours and journal.is_finished:
            return None
        if journal.broken is not None and (is_ours or not journal.source):
            raise journal.broken
        if is_ours:
            return journal
    return None


def is_same(first: str, second: str) -> bool:
    """Whether two names of lists mean the same file or directory: both `KIND:PATH`, and paths may be links."""
    kinds, paths = zip(*(name.partition(":")[::2] for name in (first, second)), strict=True)
    return bool(kinds[0] == kinds[1] and os.path.realpath(paths[0]) == os.path.realpath(paths[1]))


def completed(journal: Journal) -> dict[str, str]:
    """Return the agents that completed items of the list of `journal` in any pm, by the ids of the items."""
    agents: dict[str, str] = {}
    for _, path in sorted(_numbered(journal.directory.parents[2])):
        known = journal if path == journal.directory else Journal(path)
        if is_same(known.source, journal.source):
            agents |= completed_in(known)
    return agents


def completed_in(journal: Journal) -> dict[str, str]:
    """Return the agents that completed items in a journal, by the ids of the items."""
    rows = [entry["row"] for entry in journal.of("over")]
    return {row["id"]: row["agent"] for row in rows if row.get("status") == "completed"}


def begun(directory: Path, source: str) -> Journal:
    """Create a journal with a directory of its own."""
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
    """Lock directories or files against other pms. Raises RefusedError (`pm-running`) when another pm holds a lock.

    A lock belongs to the target of a path: links of both kinds lead to the same lock.
    """
    import fcntl

    with ExitStack() as stack:
        for place in dict.fromkeys(places):
            if not place.is_file():
                place.mkdir(parents=True, exist_ok=True)
            lock = os.open(place, os.O_RDONLY | os.O_CLOEXEC)
            stack.callback(os.close, lock)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                where = "on" if place.is_file() else "in"
                what = f"another orchctl pm runs {where} {place}: wait for it, or stop it; its developers keep running"
                raise RefusedError(what, code="pm-running") from None
        yield
