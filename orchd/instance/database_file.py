"""Checks the database file without changing it, and explains its errors."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

APPLICATION_ID = 0x6F726368  # "orch": it distinguishes our file from any other database
SCHEMAS = (1, 5)  # the oldest and newest layout that this version can use, which orchd.store.migrations makes
_DAMAGED = ("SQLITE_CORRUPT", "SQLITE_NOTADB")
_STEPS = 20_000  # of SQLite, between two looks at the clock


class Checked(NamedTuple):
    """The result of a check: an error with its remedy, or a note."""

    problem: str | None
    note: str | None = None
    remedy: str = ""
    is_empty: bool = False  # or not there at all


def files_of(path: Path) -> tuple[Path, Path]:
    """Return the database file and its write-ahead log."""
    return path, path.with_name(f"{path.name}-wal")


def check(path: Path, now: Callable[[], float], seconds: float) -> Checked:
    """Check the database in `path` for at most `seconds` of the clock `now`."""
    if not path.exists():
        return Checked(None, "it does not exist yet", is_empty=True)
    if not path.is_file():
        return Checked(f"{path} is not a file", remedy=_aside(path))
    for mode, word in ((os.R_OK, "read"), (os.W_OK, "written")):
        if not os.access(path, mode, effective_ids=True):
            return Checked(f"{path} cannot be {word}", remedy=f"`chmod u+rw {path}`, as root if you do not own it")
    try:
        with closing(sqlite3.connect(_uri(path), uri=True, isolation_level=None)) as database:
            return _check_content(database, path, now, seconds)
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", "")
        if name.startswith("SQLITE_BUSY"):
            return Checked(None, "in use, not checked")
        remedy = (
            _aside(path) if name.startswith(_DAMAGED) else "make the home writable, and check the health of its disk"
        )
        return Checked(f"{path}: {error}", remedy=remedy)


def _aside(path: Path) -> str:
    broken = path.parent / "broken"
    return (
        "restore a backup, or start with an empty database: end running agents with `orchctl doctor "
        f"--end-agents`, then `mkdir -p {broken}`, then `mv {path}* {path.parent}/agents {broken}`, then `orchctl "
        "daemon start`"
    )


def _uri(path: Path) -> str:
    """Return the URI for reading: without a write-ahead log nothing writes, and no shared memory file is needed."""
    _, wal = files_of(path)
    is_folded = not wal.exists() or not wal.stat().st_size
    return f"{path.absolute().as_uri()}?{'immutable=1' if is_folded else 'mode=ro'}"


def _check_content(database: sqlite3.Connection, path: Path, now: Callable[[], float], seconds: float) -> Checked:
    """Check an open database: whose it is, its schema, and whether it is damaged."""
    database.execute("PRAGMA busy_timeout = 200")
    (version,) = database.execute("PRAGMA user_version").fetchone()
    (application,) = database.execute("PRAGMA application_id").fetchone()
    if database.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is None:
        return Checked(None, "it is empty", is_empty=True)
    if application != APPLICATION_ID:
        return Checked(f"{path} is the database of another program", remedy=_aside(path))
    if not SCHEMAS[0] <= version <= SCHEMAS[1]:
        what = f"{path} has schema {version}, but this orchd supports {SCHEMAS[1]}"
        return Checked(what, remedy=f"install the version that wrote it, or {_aside(path)}")
    until = now() + seconds
    database.set_progress_handler(lambda: now() > until, _STEPS)
    try:
        rows = [text for (text,) in database.execute("PRAGMA quick_check(3)")]
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
            raise
        return Checked(None, f"schema {version}; too large to be checked completely in {seconds:g} s")
    if rows != ["ok"]:
        return Checked(f"{path} is damaged: {'; '.join(rows)[:200]}", remedy=_aside(path))
    return Checked(None, f"schema {version}, undamaged")


def lost(path: Path, how: str) -> str:
    """Return the message for a database in `path` that is gone or empty, as `how` says, beside files of agents."""
    agents = path.parent / "agents"
    return (
        f"{path} {how}, but {agents} has files of its agents: restore it; or end running agents with "
        f"`orchctl doctor --end-agents` and move {agents} away, to start with an empty history"
    )


def attempts_begun(path: Path, agents: Iterable[int]) -> dict[int, int]:
    """Return how many attempts each of these agents has begun, by number; unknown agents are left out.

    Raises sqlite3.Error for a database that cannot be read, or has no tables.
    """
    known: dict[int, int] = {}
    with closing(sqlite3.connect(_uri(path), uri=True, isolation_level=None)) as database:
        for number in agents:
            if database.execute("SELECT 1 FROM agents WHERE number = ?", (number,)).fetchone() is not None:
                query = "SELECT count(*) FROM events WHERE agent = ? AND event = 'attempt-admitted'"
                (known[number],) = database.execute(query, (number,)).fetchone()
    return known


def reason(error: sqlite3.Error) -> str:
    """Return what went wrong, and what to do."""
    name = getattr(error, "sqlite_errorname", "") or type(error).__name__
    return f"{error} ({name}): {REMEDIES.get(name.partition('_IOERR')[0], REMEDIES[''])}"


REMEDIES = {
    "SQLITE_FULL": "the disk is full: free some space; the daemon continues once space is free, and no data is lost",
    "SQLITE_READONLY": "the state directory is not writable: make it writable and start orchd again",
    "SQLITE_CANTOPEN": "the state directory is not accessible: check that it exists and that you own it",
    "SQLITE_NOTADB": "the file is not a database: restore it from a backup, or move it away to start empty",
    "SQLITE_CORRUPT": "the file is damaged: restore it from a backup, or move it away to start empty",
    "": "check that the state directory is writable and its disk healthy, then start orchd again",
}
