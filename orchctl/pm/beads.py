"""Work items from Beads: https://github.com/gastownhall/beads. Unknown fields are ignored, both JSON forms are read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orchctl.errors import RefusedError
from orchctl.pm.beads_cli import Bd
from orchctl.pm.work_item import Backlog, WorkItem
from orchctl.render.text import clean

# Types that hold other issues, or are messages: no work for a developer.
_NO_WORK = frozenset({"epic", "molecule", "gate", "message", "event"})

_BLOCKING = frozenset({"blocks", "conditional-blocks", "waits-for"})  # dependencies whose work comes first


def place(directory: Path) -> Path | None:
    """Return the `.beads` directory of `directory` or of the nearest parent; None when there is none."""
    return next((parent / ".beads" for parent in (directory, *directory.parents) if (parent / ".beads").is_dir()), None)


class Beads:
    """The issues that `bd ready` lists."""

    def __init__(self, bd: Bd, *, closes_failed: bool) -> None:
        self._bd = bd
        self._closes_failed = closes_failed

    def board(self) -> Backlog:
        """Return the ready issues, in the order of `bd`."""
        items = []
        for issue in self._bd.issues("ready", "--limit", "0"):
            if issue.get("issue_type") in _NO_WORK:
                continue
            labels, priority = issue.get("labels"), issue.get("priority")
            texts = (_text(issue, "description"), _text(issue, "design"))
            item = WorkItem(
                id=issue["id"],
                title=_text(issue, "title") or issue["id"],
                description="\n\n".join(text for text in texts if text),
                acceptance=_text(issue, "acceptance_criteria"),
                labels=tuple(label for label in labels if isinstance(label, str)) if isinstance(labels, list) else (),
                priority=priority if isinstance(priority, int) else 2,
            )
            items.append(item)
        return Backlog(items)

    def before(self, item: WorkItem) -> tuple[str, ...]:
        """Return the ids of blocking issues, from both forms in which `bd show` names dependencies."""
        dependencies = self._show(item.id).get("dependencies")
        objects = (
            [dependency for dependency in dependencies if isinstance(dependency, dict)]
            if isinstance(dependencies, list)
            else []
        )
        blockers = [
            dependency
            for dependency in objects
            if (dependency.get("type") or dependency.get("dependency_type")) in _BLOCKING
        ]
        return tuple(str(dependency.get("depends_on_id") or dependency.get("id")) for dependency in blockers)

    def is_open(self, issue_id: str) -> bool:
        """Whether the issue is not closed."""
        return self._show(issue_id).get("status") != "closed"

    def take(self, item: WorkItem) -> bool:
        """Claim an issue. The message of a failed claim differs by version of `bd`, so the issue itself is read."""
        try:
            self._bd.issues("update", item.id, "--claim")
        except RefusedError as error:
            if error.code != "bd-failed":
                raise
            issue = self._show(item.id)
            if issue.get("status") == "open" and not issue.get("assignee"):
                raise
            return False
        return True

    def give_back(self, issue_id: str, note: str) -> None:
        """Reopen an issue without its assignee: an issue with an assignee cannot be claimed, open or not."""
        self._bd.run("update", issue_id, "--status", "open", "--assignee", "", "--append-notes", note, "--json")

    def finish(self, issue_id: str, agent: Mapping[str, Any]) -> str:
        """Close the issue of a completed agent; otherwise reopen it, or close it as failed if so configured."""
        if agent["status"] == "completed":
            # no text of the task's own: to `bd`, a reason with `error`, `timeout` or `blocked` in it is a failure
            return self._closed(issue_id, f"Completed by {agent['id']}, which orchctl pm started")
        if self._closes_failed:
            return self._closed(issue_id, f"failed: {_ended(agent)}")
        status = self._show(issue_id).get("status")
        if status != "in_progress":  # set by the developer or by a person
            return str(status)
        self.give_back(issue_id, f"orchctl pm: {_ended(agent)}")
        return "open"

    def _closed(self, issue_id: str, reason: str) -> str:
        try:
            self._bd.run("close", issue_id, "--reason", reason, "--json")
        except RefusedError as error:
            if error.code != "bd-failed" or self._show(issue_id).get("status") != "closed":
                raise
        return "closed"

    def _show(self, issue_id: str) -> dict[str, Any]:
        return next(iter(self._bd.issues("show", issue_id)), {})


def _text(issue: Mapping[str, Any], key: str) -> str:
    value = issue.get(key)
    return value.strip().encode(errors="replace").decode() if isinstance(value, str) else ""  # no half characters


def _ended(agent: Mapping[str, Any]) -> str:
    reason = f": {clean(agent['reason'])}" if agent["reason"] else ""
    return f"{agent['id']} ended as {agent['status']}{reason}"[:500]
