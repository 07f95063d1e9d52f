"""Work items from a file: a plan of another tool, a task list in Markdown, or our own JSON."""

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
from orchctl.plans.reading import ReadOptions
from orchctl.plans.shape import Node, PlanError, TaskMark, marked
from orchctl.pm.report import Row
from orchctl.pm.work_item import Backlog, WorkItem, by_urgency
from orchctl.spawn.json_lines import JsonLines, ListingError
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


class TaskList:
    """The tasks in a file, read again before each start. With `ticks`, the outcome of a task is marked there.

    `path_in_prompts` is by default `path`. Raises UsageError for an invalid file.
    """

    def __init__(
        self, path: Path, *, ticks: bool = False, wishes: ReadOptions | None = None, path_in_prompts: str = ""
    ) -> None:
        self._path = path
        self._path_in_prompts = path_in_prompts or str(path)
        self._listing = JsonLines(str(path), _CODE, "started")
        self._ticks = ticks
        current_tag = None  # the tag that Task Master works in, from its own state
        with suppress(OSError, ValueError, RecursionError, AttributeError):
            tag = json.loads(open_file.read_file(path.parent.parent / "state.json", follow=True)).get("currentTag")
            current_tag = tag if isinstance(tag, str) else None
        self._wishes = (wishes or ReadOptions())._replace(current=current_tag)
        self._completed: set[str] = set()
        self._failed: dict[str, str] = {}
        self._look()
        if ticks and not self.plan.marks:
            what = f"--tick works for Markdown and for tasks.json of Task Master, not for {path}: leave it out"
            raise UsageError(what)

    def _look(self) -> None:
        """Read the file again, since a person may have changed it. Raises UsageError."""
        text = self._listing.text()
        is_unnamed = self._wishes.format is None and self._path.suffix.lower() not in _MARKDOWN
        unit = "line"
        try:
            if is_unnamed and _is_one_object(text):
                self._wishes = self._wishes._replace(format="task-master")
                is_unnamed = False
            if is_unnamed and (text.lstrip()[:1] in {"{", "["} or self._path.suffix.lower() in _JSON):
                plan = entries.read(self._listing, text)
                unit = plan.unit
                reading.settle(plan)
            else:
                plan = reading.read(text, self._wishes)
        except PlanError as error:
            if not error.line:
                raise UsageError(f"{self._listing.title} {error}", code=_CODE) from None
            place = f"{self._listing.title} {unit} {error.line - (unit == 'index')}"
            raise self._listing.wrong(place, str(error)) from None
        self.plan = plan
        self._done = {task.id for task in self.plan.tasks if task.is_done} | self._completed

    @property
    def name(self) -> str:
        """Return the name of the list in journals: another tag is another list."""
        tag = self.plan.tag if self.plan.tag not in {None, "master"} else ""
        return f"tasks:{os.path.realpath(self._path)}{f'#{tag}' if tag else ''}"

    def recall(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Restore the outcomes that an earlier pm reported: the file may lack them."""
        for row in rows:
            self._note(row["id"], row["status"])

    def board(self) -> Backlog:
        """Return the tasks whose dependencies are done, and why the other tasks must wait."""
        self._look()
        ready, left = [], {}
        for task in self.plan.tasks:
            if task.id in self._done or task.id in self._failed:
                continue
            if why := reason(task, self._done, self._failed):
                left[task.id] = why
            else:
                ready.append(self._item(task))
        return Backlog(by_urgency(ready), left)

    def waves(self) -> list[list[WorkItem]]:
        """Return the tasks that are ready, the tasks that are ready after these, and so on."""
        return [by_urgency(map(self._item, wave)) for wave in waves(self.plan, self._done, self._failed)]

    def notes(self) -> list[str]:
        """Return the notes to print before anything is started."""
        return [*self.plan.notes, *shared(waves(self.plan, self._done, self._failed))]

    def why(self, task_id: str) -> str:
        """Return why a task cannot start; empty when it can."""
        task = next(task for task in self.plan.tasks if task.id == task_id)
        return reason(task, self._done, self._failed)

    def before(self, item: WorkItem) -> tuple[str, ...]:
        """Return the ids of the dependencies of an item."""
        return item.after

    def is_open(self, task_id: str) -> bool:
        """Whether a task is in the file and not marked as done there."""
        self._look()
        return task_id not in self._done and any(task.id == task_id for task in self.plan.tasks)

    def take(self, item: WorkItem) -> bool:
        """Mark a task as started, where its tool has such a mark; False when it is not open. Raises RefusedError."""
        if not self.is_open(item.id):
            return False
        self._mark(item.id, "active")
        return True

    def give_back(self, task_id: str, note: str) -> None:  # noqa: ARG002 - a file has no notes
        """Mark a task as open."""
        self._mark(task_id, "open")

    def finish(self, task_id: str, agent: Mapping[str, Any]) -> str:
        """Record an outcome, and mark it with `ticks`. Raises RefusedError when the file cannot be written.

        Returns the state of the task in the file: `ticked`, `done`, `open`, why it is held, `gone`, or `unknown`.
        """
        self._note(task_id, agent["status"])
        state: TaskMark = "done" if agent["status"] == "completed" else "open"
        if self._mark(task_id, state) and state == "done":
            return TICKED
        try:
            self._look()
        except UsageError:
            return "unknown"
        task = next((task for task in self.plan.tasks if task.id == task_id), None)
        if task is None:
            return "gone"
        return "done" if task.is_done else task.held or "open"

    def catch_up(self, rows: Iterable[Row]) -> Iterator[Row]:
        """Tick the tasks that an earlier pm completed without ticking. Yields their rows, with the new `task`.

        The title is compared because a new plan may give an old number to another task. Raises RefusedError.
        """
        titles = {task.id: task.title for task in self.plan.tasks}
        for row in rows:
            is_same = titles.get(row["id"]) == row.get("title")
            is_unwritten = row.get("status") == "completed" and row.get("task") != TICKED
            if is_same and is_unwritten and self._mark(row["id"], "done"):
                yield {**row, "task": TICKED}

    def _note(self, task_id: str, status: str) -> None:
        if status == "completed":
            self._completed.add(task_id)
            self._done.add(task_id)
        else:
            self._failed[task_id] = f", which {status}"

    def _mark(self, task_id: str, state: TaskMark) -> bool:
        """Write the mark of a task; False when the file has it already, or has no such task.

        A file that cannot be read now may have the task again later: RefusedError, so that the next pm writes the mark.
        """
        if not self._ticks:
            return False
        path = self._path.resolve()  # a link stays one
        try:
            before = self._listing.text()
            after = marked(reading.parsed(before, self._wishes), before, task_id, state)
        except ListingError as error:
            raise _not_ticked(path, error.why) from None
        except PlanError as error:
            raise _not_ticked(path, f"line {error.line}: {error}" if error.line else str(error)) from None
        if after == before:
            return False
        try:
            atomic_file.write(path, after.encode(), path.stat().st_mode & 0o7777)
        except OSError as error:
            what = (
                f"{path} cannot be ticked: {error.strerror}; make its directory writable and run the same command again"
            )
            raise RefusedError(what, code="not-ticked") from None
        return True

    def _item(self, task: Node) -> WorkItem:
        if self.plan.format in {"checklist", "json"}:
            context = ""
        else:
            beside = [name for name in _BESIDE if (self._path.parent / name).is_file()]
            section = f", {task.section}" if task.section else ""
            read = f" Read {', '.join(beside)} beside it first." if beside else ""
            context = f"Task {task.id} of {self._path_in_prompts}{section}.{read} "
            context += "Leave that file as it is: its marks are set for you."
        texts = (context, task.description)
        return WorkItem(
            id=task.id,
            title=task.title,
            description="\n\n".join(text for text in texts if text),
            acceptance=task.acceptance,
            labels=task.labels,
            priority=task.priority,
            after=tuple(task.after),
            skill=task.skill,
            files=task.files,
        )


def _not_ticked(path: Path, why: str) -> RefusedError:
    what = f"{path} cannot be ticked: {why}; correct or restore the file, and run the same command again"
    return RefusedError(what, code="not-ticked")


def _is_one_object(text: str) -> bool:
    """Whether a text is a JSON object over several lines, whole or broken, or Task Master's in a single line."""
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
