"""Work as every list has it: items, and what can be done with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Item:
    """One piece of work. The lower its priority is, the earlier it is taken; 2 is the middle, as in Beads."""

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
class Board:
    """What can be begun now, most urgent first, and why the rest cannot, by id."""

    ready: list[Item]
    left: Mapping[str, str] = field(default_factory=dict)


class Source(Protocol):
    """A list of work."""

    def board(self) -> Board:
        """How it stands."""

    def before(self, item: Item) -> tuple[str, ...]:
        """The ids of what it depends on."""

    def is_open(self, one: str) -> bool:
        """Whether it is still to be done, by what the list says now."""

    def take(self, item: Item) -> bool:
        """Have it for ourselves; False when somebody else was quicker."""

    def give_back(self, one: str, note: str) -> None:
        """Let it be open again, as nobody's."""

    def finish(self, one: str, agent: Mapping[str, Any]) -> str:
        """Write down what its developer came to. Returns what the list says of it then."""


def by_urgency(items: Iterable[Item]) -> list[Item]:
    """Most urgent first, otherwise as they came."""
    return sorted(items, key=lambda item: item.priority)
