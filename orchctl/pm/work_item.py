"""Work items, and the protocol of the lists that they come from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class WorkItem:
    """A piece of work. The lower its priority, the earlier it is taken; 2 is the middle, as in Beads."""

    id: str
    title: str
    description: str = ""
    acceptance: str = ""
    labels: tuple[str, ...] = ()
    priority: int = 2
    after: tuple[str, ...] = ()
    skill: str | None = None
    files: tuple[str, ...] = ()  # paths that it names


@dataclass(frozen=True, slots=True)
class Backlog:
    """The items that can start now, most urgent first, and why other items cannot, by id."""

    ready: list[WorkItem]
    left: Mapping[str, str] = field(default_factory=dict)


class WorkSource(Protocol):
    """A list of work."""

    def board(self) -> Backlog:
        """Return the current state of the list."""

    def before(self, item: WorkItem) -> tuple[str, ...]:
        """Return the ids of the dependencies of an item."""

    def is_open(self, item_id: str) -> bool:
        """Whether the list still has the item open."""

    def take(self, item: WorkItem) -> bool:
        """Claim an item; False when it was already taken."""

    def give_back(self, item_id: str, note: str) -> None:
        """Reopen an item without an assignee."""

    def finish(self, item_id: str, agent: Mapping[str, Any]) -> str:
        """Record the outcome of an item's agent. Returns the state that the list then has for it."""


def by_urgency(items: Iterable[WorkItem]) -> list[WorkItem]:
    """Sort items by priority, most urgent first, otherwise in their order."""
    return sorted(items, key=lambda item: item.priority)
