"""The counts of a row of the table."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

COUNTED = ("lost", "twice", "left", "over", "unsaid")
_NOTES = 12


@dataclass
class Tally:
    """All of these but `tries` must be 0.

    lost     agents that are not known any more, not over, or whose end is told otherwise than it was
    twice    agents that began more often than once
    left     processes of agents that are over, and what of the daemon's is not given back
    over     windows in which a witness saw more at work than the limit
    unsaid   requests that were not answered, or with what is no answer; daemons that died without a sentence
    """

    tries: int = 0
    lost: int = 0
    twice: int = 0
    left: int = 0
    over: int = 0
    unsaid: int = 0
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
