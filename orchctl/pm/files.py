"""Work from a file: a JSON array, JSON objects one a line, or a task list in Markdown."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from orchctl.errors import RefusedError, UsageError
from orchctl.listing import Listing
from orchctl.pm import markdown
from orchctl.pm.items import Board, Item, by_urgency
from orchd.core.composition import cycle_in
from orchd.wire import shapes, whole

_CODE = "bad-tasks"
_MARKDOWN = (".md", ".markdown")
_LONGEST = 200  # characters of an id: what the daemon takes
_Said = Annotated[str, shapes.Check(str.strip, "something that is not empty")]


@dataclass(frozen=True, slots=True)
class Entry:
    """One object of a JSON file."""

    id: _Said
    title: _Said
    description: str = ""
    acceptance: str = ""
    labels: tuple[str, ...] = ()
    priority: int = 2
    after: tuple[str, ...] = ()
    skill: str | None = None
    done: bool = False


class Placed(NamedTuple):
    """An item and where it stands, for messages."""

    place: str
    item: Item


class File:
    """The tasks in a file, read again before each start. With `ticks`, the box of a task that completed is ticked."""

    def __init__(self, path: Path, *, ticks: bool = False) -> None:
        self._path = path
        self._listing = Listing(str(path), _CODE, "started")
        self._ticks = ticks
        if ticks and not self._is_markdown():
            raise UsageError(f"--tick ticks boxes, and {path} is no Markdown file: leave it out")
        self._completed: set[str] = set()
        self._failed: dict[str, str] = {}
        self._read()

    def _is_markdown(self) -> bool:
        return self._path.suffix.lower() in _MARKDOWN

    def _read(self) -> None:
        """Know what the file says now: a person may have changed it. Raises UsageError."""
        text = self._listing.text()
        found = self._of_markdown(text) if self._is_markdown() else self._of_json(text)
        self._check(found)
        self._items = {one.item.id: one.item for one in found}
        self._done = {item.id for item in self._items.values() if item.is_done} | self._completed

    def recall(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Know what an earlier pm came to, as its report says it: the file may not."""
        for row in rows:
            self._note(row["id"], row["status"])

    def board(self) -> Board:
        """What comes after nothing that is not done, and what does."""
        self._read()
        ready, left = [], {}
        for item in self._items.values():
            if item.id in self._done or item.id in self._failed:
                continue
            missing = [one for one in item.after if one not in self._done]
            if missing:
                left[item.id] = ", ".join(f"after {one}{self._failed.get(one, '')}" for one in missing)
            else:
                ready.append(item)
        return Board(by_urgency(ready), left)

    def before(self, item: Item) -> tuple[str, ...]:
        """What it comes after."""
        return item.after

    def is_open(self, one: str) -> bool:
        """Whether it is still in the file, and nobody has ticked it."""
        self._read()
        return one in self._items and one not in self._done

    def take(self, item: Item) -> bool:
        """A file is nobody else's, so only a person can have been quicker."""
        return self.is_open(item.id)

    def give_back(self, one: str, note: str) -> None:
        """It was never marked as taken."""

    def finish(self, one: str, agent: Mapping[str, Any]) -> str:
        """Remember it, and tick it when that was asked. Raises RefusedError when the file cannot be written."""
        self._note(one, agent["status"])
        if agent["status"] != "completed":
            return "open"
        return "ticked" if self._ticks and self._tick(one) else "done"

    def _note(self, one: str, status: str) -> None:
        if status == "completed":
            self._completed.add(one)
            self._done.add(one)
        else:
            self._failed[one] = f", which {status}"

    def _tick(self, one: str) -> bool:
        """Whether its box was there to be ticked: somebody may have written in the file meanwhile."""
        path = self._path.resolve()  # a link stays one
        try:
            before = self._listing.text()
            after = markdown.ticked(before, one)
        except (UsageError, markdown.WrongLine):
            return False
        if after == before:
            return False
        try:
            whole.write(path, after.encode(), path.stat().st_mode & 0o7777)
        except OSError as error:
            what = f"{path} cannot be ticked: {error.strerror}; once files can be made beside it, the same command does"
            raise RefusedError(what, code="not-ticked") from None
        return True

    def _of_markdown(self, text: str) -> list[Placed]:
        try:
            tasks = markdown.read(text)
        except markdown.WrongLine as error:
            raise self._listing.wrong(f"{self._listing.title} line {error.number}", str(error)) from None
        found = []
        for task in tasks:
            description, acceptance = markdown.described(task)
            item = replace(task.item, description=description, acceptance=acceptance)
            found.append(Placed(f"{self._listing.title} line {task.number}", item))
        return found

    def _of_json(self, text: str) -> list[Placed]:
        found = []
        for place, value in self._listing.entries(text):
            try:
                entry = shapes.build(Entry, value)
                json.dumps(value, ensure_ascii=False).encode()
            except UnicodeEncodeError as error:
                raise self._listing.wrong(place, f"{error.object[error.start]!r} is half a character") from None
            except shapes.ShapeError as error:
                raise self._listing.wrong(place, str(error)) from None
            known = {name: getattr(entry, name) for name in Entry.__dataclass_fields__ if name != "done"}
            found.append(Placed(place, Item(**known, is_done=entry.done)))
        return found

    def _check(self, found: list[Placed]) -> None:
        """Raise UsageError for ids that are there twice, or not at all, and for circles."""
        if not found:
            what = f"{self._listing.title} holds no task: write `- [ ] Title` lines, or JSON objects with id and title"
            raise UsageError(what, code=_CODE)
        places: dict[str, str] = {}
        for place, item in found:
            if len(item.id) > _LONGEST:
                raise self._listing.wrong(place, f"an id of {len(item.id)} characters: the most is {_LONGEST}")
            if item.id in places:
                what = f"the id {item.id!r} is there already, at {places[item.id]}: give it `(id: ...)` of its own"
                raise self._listing.wrong(place, what)
            places[item.id] = place
        for place, item in found:
            if unknown := [one for one in item.after if one not in places]:
                raise self._listing.wrong(place, f"{item.id!r} comes after {unknown[0]!r}, which is no task here")
        if cycle := cycle_in({item.id: item.after for _, item in found}):
            raise self._listing.wrong(places[cycle[0]], f"these wait for each other: {' -> '.join(cycle)}")
