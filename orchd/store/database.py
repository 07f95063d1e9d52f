"""The store: one SQLite file. Events and the agents they changed are written in one transaction, or not at all."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from orchd.core.state.agents import Agent, Instant
from orchd.core.state.events import Event
from orchd.core.state.state import RateLimit, State
from orchd.errors import DiskFull, StoreError
from orchd.instance.database_file import APPLICATION_ID, files_of, lost, reason
from orchd.monitors.disk_space import has_room
from orchd.store import migrations, rows
from orchd.store.codec import pack, unpack
from orchd.store.commit_thread import CommitThread
from orchd.store.pruning import PruneQueries
from orchd.store.reader import StoredReply

KEPT_ANSWERS = 10_000

_KEEP = "INSERT OR REPLACE INTO replies (request, op, caller, result) VALUES (?, ?, ?, ?)"


class Saved(NamedTuple):
    """The fields of the state that are stored beside agents, runs and sessions."""

    limit: int
    resident: int
    is_paused: bool
    last_number: int
    last_run: int
    last_session: int
    holds: dict[str, Any]  # by runner: its end (wall) and the message of its service; to schema 2 only the end
    seed: int
    is_limit_set: bool | None = None  # None: written by a version that did not know


class Store(PruneQueries):
    """An open database. Methods raise StoreError where it cannot be read or written."""

    def __init__(self, path: Path, *, without_room: bool = False, begins: bool = True) -> None:
        """Open the database. `without_room`: write nothing by itself, and need no free disk space to read. `begins`:
        create the tables of an empty file; without it an empty file has lost its content, and is refused."""
        self._path = path
        self._begins = begins
        self._without_room = without_room
        self._saved: Saved | None = None
        self._seq = self._begun = 0
        self._sizes = dict.fromkeys(files_of(path), 0)
        try:
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        except sqlite3.Error as error:
            raise self._failure(error) from None
        self.commits = CommitThread(self._db)
        try:
            self._prepare()
        except sqlite3.Error as error:
            self.close()
            raise self._failure(error) from None
        except StoreError:
            self.close()
            raise

    def _prepare(self) -> None:
        """Check the file before anything is written: a foreign or newer database stays as it is."""
        self._db.execute("PRAGMA busy_timeout = 2000")
        if self._without_room:  # then the index of the write-ahead log is in memory, and not in a file
            self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        (application,) = self._db.execute("PRAGMA application_id").fetchone()
        is_empty = self._db.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is None
        if application != APPLICATION_ID and not is_empty:
            raise StoreError(f"{self._path} is the database of another program; move it away")
        if is_empty and not self._begins:
            raise StoreError(lost(self._path, "is empty"))
        if not is_empty and not migrations.FIRST <= version <= migrations.newest():
            raise StoreError(self._why_not_ours(version))
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        if self._without_room and (is_empty or version < migrations.newest()):
            raise StoreError(f"cannot create {self._path} while the disk is full")
        if is_empty:
            self._db.executescript(f"BEGIN; {rows.SCHEMA} PRAGMA application_id = {APPLICATION_ID};")
            migrations.take(self._db, migrations.FIRST)
            self._db.execute("COMMIT")
            self._path.chmod(0o600)
        elif version < migrations.newest():
            self._migrate(version)
        row = self._one("SELECT seq FROM sqlite_sequence WHERE name = 'events'")
        self._seq = int(row[0]) if row else 0
        self._check_sizes()

    def _migrate(self, version: int) -> None:
        """Migrate the database to this version. Raises StoreError, which says that it is as it was before."""
        try:
            migrations.migrate(self._db, self._path, version)
        except (sqlite3.Error, OSError) as error:
            cause = reason(error) if isinstance(error, sqlite3.Error) else str(error)
            no_room = not has_room(self._path.parent)
            raise (DiskFull if no_room else StoreError)(
                f"cannot migrate {self._path} from schema {version} to {migrations.newest()}: {cause}; the database is "
                "unchanged, and the version of orchd that wrote it can still use it"
            ) from None

    def _why_not_ours(self, version: int) -> str:
        """Return why this version cannot use the database, and where an older copy is that it can use."""
        known = migrations.newest()
        if version < migrations.FIRST:
            return f"{self._path} has the unknown schema {version}; restore it from a backup, or move it away"
        newer = f"{self._path} was written by a newer orchd (schema {version}, this version supports {known})"
        copies = [copy for copy in migrations.copies(self._path) if copy == migrations.kept(self._path, known)]
        if copies:
            return (
                f"{newer}: install that version again; or stop agents with `orchctl daemon stop --stop-agents`, move "
                f"{self._path} and its -wal file away, and copy {copies[0]}, left by this version, to {self._path}"
            )
        return f"{newer}: install that version again, or move the file away to start with an empty database"

    def commit(self, state: State, at: float, events: Sequence[Event], answers: Iterable[StoredReply] = ()) -> None:
        """Write the events and what they changed; return only when they are on the disk."""
        self.begin(state, at, events, answers)
        self.finish()

    def begin(self, state: State, at: float, events: Sequence[Event], answers: Iterable[StoredReply] = ()) -> None:
        """Write the events and what they changed, and start the commit, which continues while the caller does other
        work."""
        self.finish()
        self._check_sizes()
        try:
            self._db.execute("BEGIN IMMEDIATE")
            replies: list[rows.Row] = [(reply.request, reply.op, reply.caller, pack(reply.result)) for reply in answers]
            for statement, values in (*rows.of(state, at, events), (_KEEP, replies)):
                if values:  # most turns have something for two of seven statements
                    self._db.executemany(statement, values)
            saved = _saved(state)
            if saved != self._saved:
                self._db.execute("INSERT OR REPLACE INTO meta VALUES ('state', ?)", (pack(saved),))
        except sqlite3.Error as error:
            raise self._failure(error) from None
        self._saved, self._begun = saved, len(events)
        self.commits.begin()

    def finish(self) -> None:
        """Wait until the pending commit is on the disk."""
        try:
            self.commits.finish()
        except sqlite3.Error as error:
            raise self._failure(error) from None
        self._seq += self._begun  # one writer, so the sequence has no gaps
        self._begun = 0

    def _check_sizes(self) -> None:
        """Raise StoreError when a file of the database is smaller than before, which SQLite never does: it was cut or
        removed, and what is committed from now on could not be read."""
        for path, size in self._sizes.items():
            try:
                now = path.stat().st_size
            except FileNotFoundError:
                now = 0
            if now < size:
                raise StoreError(
                    f"{path} shrank from {size:,} to {now:,} bytes: it was truncated or removed, and no change can be "
                    "stored. Restore it and start orchd again"
                )
            self._sizes[path] = now

    def restore(self, state: State, now: Instant) -> list[Agent]:
        """Restore the stored fields of `state`. Returns the unfinished agents."""
        if row := self._one("SELECT value FROM meta WHERE key = 'state'"):
            self._saved = saved = self._sound(lambda: Saved(*unpack(row[0])))
            is_other = (saved.limit, saved.resident) != (state.limit, state.resident)
            state.is_limit_set = is_other if saved.is_limit_set is None else saved.is_limit_set
            state.limit, state.resident, state.is_paused = saved.limit, saved.resident, saved.is_paused
            state.last_number, state.last_run, state.last_session = (
                saved.last_number,
                saved.last_run,
                saved.last_session,
            )
            for runner, hold in saved.holds.items():
                until, reason = hold if isinstance(hold, list) else (hold, "")
                state.holds[runner] = RateLimit(now.mono + until - now.wall, until, reason)
            state.seed = saved.seed
        self._remember_pruned()
        if not self._without_room:
            self._many("DELETE FROM replies WHERE number <= (SELECT max(number) FROM replies) - ?", (KEPT_ANSWERS,))
        return list(self._agents("is_over = 0 ORDER BY number"))

    def last_seq(self) -> int:
        """Return the sequence number of the newest event that is known to be on the disk; 0 before the first."""
        return self._seq

    def close(self) -> None:
        """Fold the write-ahead log into the file and close it."""
        self.commits.close()
        self._db.close()


def _saved(state: State) -> Saved:
    return Saved(
        state.limit,
        state.resident,
        state.is_paused,
        state.last_number,
        state.last_run,
        state.last_session,
        {runner: [rate_limit.wall, rate_limit.reason] for runner, rate_limit in state.holds.items()},
        state.seed,
        state.is_limit_set,
    )
