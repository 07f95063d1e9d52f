"""Work from a file: a plan of one of the tools that write plans, a task list in Markdown, or JSON of our own."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from orchctl.errors import RefusedError, UsageError
from orchctl.plans import entries, reading
from orchctl.plans.order import reason, shared, waves
from orchctl.plans.reading import Wishes
from orchctl.plans.shape import Node, Plan, PlanError, State, marked
from orchctl.pm.report import Row
from orchctl.pm.work_item import Board, Item, by_urgency
from orchctl.spawn.json_lines import Listing, ListingError
from orchd.instance.system import atomic_file, open_file

TICKED = "ticked"  # the `task` of a row whose mark a pm has written
_CODE = "bad-tasks"
_MARKDOWN = (".md", ".markdown")
_JSON = (".json", ".jsonl")
_BESIDE = (
    "spec.md",
    "requirements.md",
    "bugfix.md",
    "proposal.md",
    "plan.md",
    "design.md",
    "research.md",
    "data-model.md",
)


class File:
    """The tasks in a file, read again before each start. With `ticks`, what becomes of a task is marked there.

    `shown` is the path for developers. Raises UsageError for a file that cannot be relied on.
    """

    def __init__(self, path: Path, *, ticks: bool = False, wishes: Wishes | None = None, shown: str = "") -> None:
        self._path = path
        self._shown = shown or str(path)
        self._listing = Listing(str(path), _CODE, "started")
        self._ticks = ticks
        self._wishes = (wishes or Wishes())._replace(current=_current_tag(path))
        self._completed: set[str] = set()
        self._failed: dict[str, str] = {}
        self._look()
        if ticks and not self.plan.marks:
            what = (
                f"--tick writes into Markdown and into tasks.json of Task Master, and {path} is neither: leave it out"
            )
            raise UsageError(what)

    def _look(self) -> None:
        """Know what the file says now: a person may have changed it. Raises UsageError."""
        self.plan = self._read(self._listing.text())
        self._done = {task.id for task in self.plan.tasks if task.is_done} | self._completed

    @property
    def name(self) -> str:
        """What it is called in journals: another tag is another list."""
        tag = self.plan.tag if self.plan.tag not in {None, "master"} else ""
        return f"tasks:{os.path.realpath(self._path)}{f'#{tag}' if tag else ''}"

    def recall(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Know what an earlier pm came to, as its report says it: the file may not."""
        for row in rows:
            self._note(row["id"], row["status"])

    def board(self) -> Board:
        """What comes after nothing that is not done, and what does."""
        self._look()
        ready, left = [], {}
        for task in self.plan.tasks:
            if task.id in self._done or task.id in self._failed:
                continue
            if why := reason(task, self._done, self._failed):
                left[task.id] = why
            else:
                ready.append(self._item(task))
        return Board(by_urgency(ready), left)

    def waves(self) -> list[list[Item]]:
        """What is ready, what is once that is done, and so on."""
        return [by_urgency(map(self._item, wave)) for wave in waves(self.plan, self._done, self._failed)]

    def notes(self) -> list[str]:
        """What a person should know of the file before anything of it is started."""
        return [*self.plan.notes, *shared(waves(self.plan, self._done, self._failed))]

    def why(self, one: str) -> str:
        """What keeps a task from being begun; "" when nothing does."""
        task = next(task for task in self.plan.tasks if task.id == one)
        return reason(task, self._done, self._failed)

    def before(self, item: Item) -> tuple[str, ...]:
        """What it comes after."""
        return item.after

    def is_open(self, one: str) -> bool:
        """Whether it is still in the file, and not marked as done there."""
        self._look()
        return one not in self._done and any(task.id == one for task in self.plan.tasks)

    def take(self, item: Item) -> bool:
        """Whether it is still open; then it is marked as begun, where its tool has such a mark. Raises RefusedError."""
        if not self.is_open(item.id):
            return False
        self._mark(item.id, "active")
        return True

    def give_back(self, one: str, note: str) -> None:  # noqa: ARG002 - a file has no place for it
        """It is open again."""
        self._mark(one, "open")

    def finish(self, one: str, agent: Mapping[str, Any]) -> str:
        """Remember it, and mark it when that was asked. Raises RefusedError when the file cannot be written."""
        self._note(one, agent["status"])
        state: State = "done" if agent["status"] == "completed" else "open"
        is_written = self._mark(one, state)
        return TICKED if is_written and state == "done" else self._status(one)

    def catch_up(self, rows: Iterable[Row]) -> Iterator[Row]:
        """Tick the tasks that an earlier pm completed and did not tick. Yields their rows, with the new `task`.

        The title is compared because a new plan may give an old number to another task. Raises RefusedError.
        """
        titles = {task.id: task.title for task in self.plan.tasks}
        for row in rows:
            is_same = titles.get(row["id"]) == row.get("title")
            is_unwritten = row.get("status") == "completed" and row.get("task") != TICKED
            if is_same and is_unwritten and self._mark(row["id"], "done"):
                yield {**row, "task": TICKED}

    def _status(self, one: str) -> str:
        """What the file says of a task now: `done`, `open`, why it is held, `gone`, or `unknown`."""
        try:
            self._look()
        except UsageError:
            return "unknown"
        task = next((task for task in self.plan.tasks if task.id == one), None)
        if task is None:
            return "gone"
        return "done" if task.is_done else task.held or "open"

    def _note(self, one: str, status: str) -> None:
        if status == "completed":
            self._completed.add(one)
            self._done.add(one)
        else:
            self._failed[one] = f", which {status}"

    def _mark(self, one: str, state: State) -> bool:
        """Write the mark of a task; False when the file has it already, or has no such task.

        A file that cannot be read now may have the task again later: RefusedError, so that the next pm writes the mark.
        """
        if not self._ticks:
            return False
        path = self._path.resolve()  # a link stays one
        try:
            before = self._listing.text()
            after = marked(reading.parsed(before, self._wishes), before, one, state)
        except ListingError as error:
            raise _not_ticked(path, error.why) from None
        except PlanError as error:
            raise _not_ticked(path, f"line {error.line}: {error}" if error.line else str(error)) from None
        if after == before:
            return False
        try:
            atomic_file.write(path, after.encode(), path.stat().st_mode & 0o7777)
        except OSError as error:
            what = f"{path} cannot be ticked: {error.strerror}; once files can be made beside it, the same command does"
            raise RefusedError(what, code="not-ticked") from None
        return True

    def _read(self, text: str) -> Plan:
        unit = "line"
        try:
            if self._wishes.format is None and self._path.suffix.lower() not in _MARKDOWN:
                if _is_one_object(text):
                    self._wishes = self._wishes._replace(format="task-master")
                elif text.lstrip()[:1] in {"{", "["} or self._path.suffix.lower() in _JSON:
                    plan = entries.read(self._listing, text)
                    unit = plan.unit
                    reading.settle(plan)
                    return plan
            return reading.read(text, self._wishes)
        except PlanError as error:
            raise self._wrong(error, unit) from None

    def _wrong(self, error: PlanError, unit: str) -> UsageError:
        if not error.line:
            return UsageError(f"{self._listing.title} {error}", code=_CODE)
        place = f"{self._listing.title} {unit} {error.line - (unit == 'index')}"
        return self._listing.wrong(place, str(error))

    def _item(self, task: Node) -> Item:
        said = (self._context(task), task.description)
        return Item(
            id=task.id,
            title=task.title,
            description="\n\n".join(one for one in said if one),
            acceptance=task.acceptance,
            labels=task.labels,
            priority=task.priority,
            after=tuple(task.after),
            skill=task.skill,
            files=task.files,
        )

    def _context(self, task: Node) -> str:
        """Where a task of another tool's plan comes from, and what stands beside it."""
        if self.plan.format in {"checklist", "json"}:
            return ""
        beside = [name for name in _BESIDE if (self._path.parent / name).is_file()]
        section = f", {task.section}" if task.section else ""
        read = f" Read {', '.join(beside)} beside it first." if beside else ""
        return f"Task {task.id} of {self._shown}{section}.{read} Leave that file as it is: its marks are set for you."


def _not_ticked(path: Path, why: str) -> RefusedError:
    what = f"{path} cannot be ticked: {why}; correct or restore the file, and run the same command again"
    return RefusedError(what, code="not-ticked")


def _is_one_object(text: str) -> bool:
    """Whether it is one JSON object over several lines, whole or broken, or Task Master's in one line."""
    if reading.is_task_master(text):
        return True
    first = text.strip().split("\n")[0]
    if not first.startswith("{"):
        return False
    try:
        json.loads(first)
    except (ValueError, RecursionError):
        return True
    return False


def _current_tag(path: Path) -> str | None:
    """The tag that Task Master works in, by its own state."""
    with suppress(OSError, ValueError, RecursionError, AttributeError):
        found = json.loads(open_file.read_file(path.parent.parent / "state.json", follow=True)).get("currentTag")
        return found if isinstance(found, str) else None
    return None
