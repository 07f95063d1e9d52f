"""The counts of a row of the table."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

COUNTED = ("lost", "twice", "left", "over", "unreported")
_NOTES = 12


@dataclass
class Tally:
    """All of these but `tries` must be 0.

    lost        agents that are unknown, do not end, or whose end is reported wrongly
    twice       agents that began more than once
    left        processes of ended agents, and resources of the daemon that are not released
    over        windows in which a witness saw more agents at work than the limit
    unreported  requests without a valid reply; daemons that exited without a message
    """

    tries: int = 0
    lost: int = 0
    twice: int = 0
    left: int = 0
    over: int = 0
    unreported: int = 0
    notes: list[str] = field(default_factory=list)

    def count(self, what: str, number: int, note: str) -> None:
        """Add to a count, with a note that says what it is."""
        if number:
            setattr(self, what, getattr(self, what) + number)
            if len(self.notes) < _NOTES:
                self.notes.append(f"{what} {number}: {note}"[:400])

    @property
    def troubles(self) -> dict[str, int]:
        """Return the counts that are not 0."""
        return {name: count for name in COUNTED if (count := getattr(self, name))}

    def as_json(self) -> dict[str, object]:
        """Return all counts."""
        return asdict(self)
