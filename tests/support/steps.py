"""Two migrations that a later version may need, with rows that change."""

from __future__ import annotations

import sqlite3


def by_day(db: sqlite3.Connection) -> None:
    """Events are found by their day."""
    db.execute("ALTER TABLE events ADD COLUMN day INTEGER")
    db.execute("UPDATE events SET day = CAST(at / 86400 AS INTEGER)")
    db.execute("CREATE INDEX events_by_day ON events (day)")


def notes(db: sqlite3.Connection) -> None:
    """Agents can have notes."""
    db.execute("CREATE TABLE notes (agent INTEGER NOT NULL, text TEXT NOT NULL)")
    db.execute("INSERT INTO notes SELECT number, 'migrated' FROM agents")


STEPS = (by_day, notes)
