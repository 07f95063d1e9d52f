"""Work from Beads: https://github.com/gastownhall/beads. Unknown fields are left alone, both forms of JSON are read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orchctl.errors import RefusedError
from orchctl.pm.beads_cli import Bd
from orchctl.pm.work_item import Board, Item
from orchctl.render.text import clean

# What holds other issues, or is a message: nothing that a developer could do.
_NO_WORK = frozenset({"epic", "molecule", "gate", "message", "event"})

_BLOCKING = frozenset({"blocks", "conditional-blocks", "waits-for"})  # dependencies whose work comes first


def place(directory: Path) -> Path | None:
    """The `.beads` directory of `directory`, looked for upward; None when there is none."""
    return next((one / ".beads" for one in (directory, *directory.parents) if (one / ".beads").is_dir()), None)


class Beads:
    """The issues that `bd ready` shows."""

    def __init__(self, bd: Bd, *, closes_failed: bool) -> None:
        self._bd = bd
        self._closes_failed = closes_failed

    def board(self) -> Board:
        """What `bd` calls ready, in its order."""
        found = self._bd.issues("ready", "--limit", "0")
        return Board([_item(one) for one in found if one.get("issue_type") not in _NO_WORK])

    def before(self, item: Item) -> tuple[str, ...]:
        """What blocks it, by both forms in which `bd show` names dependencies."""
        found = self._shown(item.id).get("dependencies")
        known = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
        blockers = [one for one in known if (one.get("type") or one.get("dependency_type")) in _BLOCKING]
        return tuple(str(one.get("depends_on_id") or one.get("id")) for one in blockers)

    def is_open(self, one: str) -> bool:
        """Whether nobody has closed it."""
        return self._shown(one).get("status") != "closed"

    def take(self, item: Item) -> bool:
        """Claim it. What `bd` says when it was too late differs by version, so the issue itself is asked."""
        try:
            self._bd.issues("update", item.id, "--claim")
        except RefusedError as error:
            if error.code != "bd-failed" or not self._is_lost(item.id):
                raise
            return False
        return True

    def _is_lost(self, one: str) -> bool:
        issue = self._shown(one)
        return issue.get("status") != "open" or bool(issue.get("assignee"))

    def give_back(self, one: str, note: str) -> None:
        """Open it. Its assignee goes too: nobody can claim what is assigned, open or not."""
        self._bd.run("update", one, "--status", "open", "--assignee", "", "--append-notes", note, "--json")

    def finish(self, one: str, agent: Mapping[str, Any]) -> str:
        """Close it when its developer completed; otherwise open it again, or close it as failed when that was asked."""
        if agent["status"] == "completed":
            # no word of the task's own: to `bd`, a reason with `error`, `timeout` or `blocked` in it is a failure
            return self._closed(one, f"Completed by {agent['id']}, which orchctl pm started")
        if self._closes_failed:
            return self._closed(one, f"failed: {_ended(agent)}")
        status = self._shown(one).get("status")
        if status != "in_progress":  # the developer, or somebody else, has said what is to become of it
            return str(status)
        self.give_back(one, f"orchctl pm: {_ended(agent)}")
        return "open"

    def _closed(self, one: str, reason: str) -> str:
        try:
            self._bd.run("close", one, "--reason", reason, "--json")
        except RefusedError as error:
            if error.code != "bd-failed" or self._shown(one).get("status") != "closed":
                raise
        return "closed"

    def _shown(self, one: str) -> dict[str, Any]:
        return next(iter(self._bd.issues("show", one)), {})


def _item(issue: Mapping[str, Any]) -> Item:
    description = "\n\n".join(part for part in (_text(issue, "description"), _text(issue, "design")) if part)
    labels, priority = issue.get("labels"), issue.get("priority")
    return Item(
        id=issue["id"],
        title=_text(issue, "title") or issue["id"],
        description=description,
        acceptance=_text(issue, "acceptance_criteria"),
        labels=tuple(one for one in labels if isinstance(one, str)) if isinstance(labels, list) else (),
        priority=priority if isinstance(priority, int) else 2,
    )


def _text(issue: Mapping[str, Any], key: str) -> str:
    value = issue.get(key)
    return value.strip().encode(errors="replace").decode() if isinstance(value, str) else ""  # no half characters


def _ended(agent: Mapping[str, Any]) -> str:
    reason = f": {clean(agent['reason'])}" if agent["reason"] else ""
    return f"{agent['id']} ended as {agent['status']}{reason}"[:500]
