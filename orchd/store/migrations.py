"""Migrations of databases that an older version wrote: numbered steps, all of them in one transaction or none.

A new database is created as in the first version and takes the same steps, so the layout is defined in one place.
"""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

from orchd.instance.system.private_file import sync

log = logging.getLogger("orchd")

FIRST = 1
Step = Callable[[sqlite3.Connection], None]


def _mark(db: sqlite3.Connection) -> None:
    """Change no table: only the content of rows is new. Older rows are read as they are; an older version could not
    read newer rows."""


def _rename_tables(db: sqlite3.Connection) -> None:
    """Rename the tables to the names their rows have everywhere else: `events` and `replies`.

    Rows of agents and events may name the agent that caused an end; rows of version 4 are read without it.
    """
    db.execute("DROP INDEX facts_by_root")
    db.execute("ALTER TABLE facts RENAME TO events")
    db.execute("CREATE INDEX events_by_root ON events (root) WHERE root IS NOT NULL")
    db.execute("ALTER TABLE answers RENAME TO replies")


# The step at index 0 makes version 2 of version 1, and so on. A step that was released is never changed again.
STEPS: tuple[Step, ...] = (
    # An agent may be frozen, a wait may have expired, and agents have the limits of their callers.
    _mark,
    # Reports may hold notes, agents the number and start of their rate limits, a rate limit the message of its service.
    _mark,
    # Agents may have conditions of dependencies, have started, and be paused. Before: every dependency requires
    # completion, and no agent is paused.
    _mark,
    _rename_tables,
)


def newest() -> int:
    """Return the version of a database that has taken all steps."""
    return FIRST + len(STEPS)


def kept(path: Path, version: int) -> Path:
    """Return the path of the copy of a database made before it was changed from `version`."""
    return path.with_name(f"{path.name}.schema-{version}")


def copies(path: Path) -> list[Path]:
    """Return the copies that exist, the oldest version first; more than one only until the next copy is made."""
    paths = [copy for copy in path.parent.glob(f"{path.name}.schema-*") if _version_of(copy) is not None]
    return sorted(paths, key=lambda copy: _version_of(copy) or 0)


def take(db: sqlite3.Connection, version: int) -> None:
    """Take all steps that a database of `version` has not taken, inside the open transaction, and store the new
    version."""
    for step in STEPS[version - FIRST :]:
        step(db)
    db.execute(f"PRAGMA user_version = {newest()}")


def migrate(db: sqlite3.Connection, path: Path, version: int) -> None:
    """Copy the database, then migrate it to this version. After an error or a crash it is as it was before."""
    copy = kept(path, version)
    draft = copy.with_name(f"{copy.name}.new")
    draft.unlink(missing_ok=True)
    try:  # the copy is whole on the disk before it gets its name
        os.close(os.open(draft, os.O_CREAT | os.O_EXCL, 0o600))
        with closing(sqlite3.connect(draft)) as other:
            db.backup(other)
        draft.replace(copy)
    finally:
        draft.unlink(missing_ok=True)  # half a copy only takes up the room that was missing
    sync(path.parent)
    for older in copies(path):
        if older != copy:
            older.unlink()
    db.execute("BEGIN IMMEDIATE")
    try:
        take(db, version)
        db.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):  # what broke the transaction may have ended it
            db.execute("ROLLBACK")
        raise
    log.info("migrated %s from schema %d to %d; %s is a copy of the previous version", path, version, newest(), copy)


def _version_of(copy: Path) -> int | None:
    words = copy.name.rpartition("-")[2]
    return int(words) if words.isascii() and words.isdigit() else None
