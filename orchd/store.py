"""The store: one SQLite file. Facts and the agents they changed are written in one transaction, or not at all."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from msgpack import UnpackException

from orchd import rows
from orchd.codec import pack, unpack, unpack_agent, unpack_run
from orchd.commits import Commits
from orchd.core.facts import Fact
from orchd.core.model import Agent, AgentId, State, agent_id, number_of
from orchd.core.runs import Run, RunId, number_of_run, run_id
from orchd.errors import StoreError

T = TypeVar("T")

APPLICATION_ID = 0x6F726368  # "orch": tells our file from any other database
SCHEMA_VERSION = 1
KEPT_ANSWERS = 10_000
_LISTED = "(SELECT value FROM json_each(?))"


class StoredAnswer(NamedTuple):
    """What a request was answered, and whom: the number of the agent that asked, or None for a person."""

    request: str
    op: str
    caller: int | None
    result: object


class StoredFact(NamedTuple):
    """One row of the log."""

    seq: int
    at: float
    event: str
    agent: int | None
    doc: dict[str, object]


class Saved(NamedTuple):
    """What the state is beside its agents."""

    limit: int
    resident: int
    is_paused: bool
    last_number: int
    last_run: int
    seed: int


class Store:
    """An open database. Raises StoreError wherever it cannot do what it was asked."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._saved: Saved | None = None
        self._seq = self._begun = 0
        try:
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        except sqlite3.Error as error:
            raise StoreError(self._explained(error)) from None
        self.commits = Commits(self._db)
        try:
            self._prepare()
        except sqlite3.Error as error:
            self.close()
            raise StoreError(self._explained(error)) from None
        except StoreError:
            self.close()
            raise

    def _prepare(self) -> None:
        """Look before anything is written: a file that is not ours, or not ours any more, stays as it is."""
        self._db.execute("PRAGMA busy_timeout = 2000")
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        (application,) = self._db.execute("PRAGMA application_id").fetchone()
        is_empty = self._db.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is None
        if application != APPLICATION_ID and not is_empty:
            raise StoreError(f"{self._path} is some other program's database: move it away")
        if version > SCHEMA_VERSION:
            raise StoreError(
                f"{self._path} was written by a newer orchd (schema {version}, this one knows {SCHEMA_VERSION}): "
                "install that version again, or move the file away to begin anew"
            )
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        if is_empty:
            self._create()
        row = self._one("SELECT seq FROM sqlite_sequence WHERE name = 'facts'")
        self._seq = int(row[0]) if row else 0

    def _create(self) -> None:
        self._db.executescript(
            f"BEGIN; {rows.SCHEMA} PRAGMA application_id = {APPLICATION_ID};"
            f" PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
        )
        self._path.chmod(0o600)

    def commit(self, state: State, at: float, facts: Sequence[Fact], answers: Iterable[StoredAnswer] = ()) -> None:
        """Write what happened and what it made of the agents, and return only when it is on the disk."""
        self.begin(state, at, facts, answers)
        self.finish()

    def begin(self, state: State, at: float, facts: Sequence[Fact], answers: Iterable[StoredAnswer] = ()) -> None:
        """Write the same as it is now, and let it go to the disk while others do something else."""
        self.finish()
        try:
            self._db.execute("BEGIN IMMEDIATE")
            for statement, values in rows.of(state, at, facts):
                self._db.executemany(statement, values)
            self._db.executemany(
                "INSERT OR REPLACE INTO answers (request, op, caller, result) VALUES (?, ?, ?, ?)",
                [(answer.request, answer.op, answer.caller, pack(answer.result)) for answer in answers],
            )
            saved = Saved(state.limit, state.resident, state.is_paused, state.last_number, state.last_run, state.seed)
            if saved != self._saved:
                self._db.execute("INSERT OR REPLACE INTO meta VALUES ('state', ?)", (pack(saved),))
        except sqlite3.Error as error:
            raise StoreError(self._explained(error)) from None
        self._saved, self._begun = saved, len(facts)
        self.commits.begin()

    def finish(self) -> None:
        """Return when what was begun is on the disk."""
        try:
            self.commits.finish()
        except sqlite3.Error as error:
            raise StoreError(self._explained(error)) from None
        self._seq += self._begun  # one writer, so the sequence has no gaps
        self._begun = 0

    def restore(self, state: State) -> list[Agent]:
        """Set the numbers of `state` to what they were; the agents that were not over."""
        if row := self._one("SELECT value FROM meta WHERE key = 'state'"):
            self._saved = self._sound(lambda: Saved(*unpack(row[0])))
            limit, resident, is_paused, last_number, last_run, seed = self._saved
            state.limit, state.resident, state.is_paused, state.seed = limit, resident, is_paused, seed
            state.last_number, state.last_run = last_number, last_run
        self._many("DELETE FROM answers WHERE number <= (SELECT max(number) FROM answers) - ?", (KEPT_ANSWERS,))
        return list(self._agents("is_over = 0 ORDER BY number"))

    def unfinished_runs(self) -> list[Run]:
        """The runs that were not over, with what is known of their members."""
        return [self._run(number, doc) for number, doc in self._many("SELECT number, doc FROM runs WHERE is_over = 0")]

    def run(self, one: RunId) -> Run | None:
        """A run as it was last written."""
        number = number_of_run(one)
        row = self._one("SELECT doc FROM runs WHERE number = ?", (number,))
        return self._run(number, row[0]) if row else None

    def runs(self, before: int | None, count: int, root: int | None = None) -> list[Run]:
        """The `count` newest runs below `before`, of one tree or of all, newest first."""
        found = self._many(
            "SELECT number, doc FROM runs WHERE number < ? AND (?2 IS NULL OR root = ?2) ORDER BY number DESC LIMIT ?3",
            (before if before is not None else 2**62, root, count),
        )
        return [self._run(number, doc) for number, doc in found]

    def _run(self, number: int, doc: bytes) -> Run:
        members = list(self._agents("run = ? ORDER BY number", number))
        return self._sound(partial(unpack_run, run_id(number), doc, members))

    def skills(self, names: Iterable[str]) -> dict[str, tuple[float, int]]:
        """Seconds and samples of those skills of which an agent has completed."""
        query = "SELECT seconds, samples FROM skills WHERE name = ?"
        found = {name: self._one(query, (rows.bytes_of(name),)) for name in names}
        return {name: (row[0], row[1]) for name, row in found.items() if row is not None}

    def agent(self, one: AgentId) -> Agent | None:
        """An agent as it was last written."""
        return next(self._agents("number = ?", number_of(one)), None)

    def agents(self, numbers: Iterable[int]) -> list[Agent]:
        """Those of `numbers` that exist, oldest first."""
        return list(self._agents(f"number IN {_LISTED} ORDER BY number", _json(numbers)))

    def page(self, before: int | None, count: int, root: int | None = None) -> list[int]:
        """The numbers of the `count` newest agents below `before`, of one tree or of all, newest first."""
        found = self._many(
            "SELECT number FROM agents WHERE number < ? AND (?2 IS NULL OR root = ?2) ORDER BY number DESC LIMIT ?3",
            (before if before is not None else 2**62, root, count),
        )
        return [number for (number,) in found]

    def roots_of(self, numbers: Iterable[int]) -> set[int]:
        """The numbers of the roots of the trees that these agents are in."""
        found = self._many(f"SELECT DISTINCT root FROM agents WHERE number IN {_LISTED}", (_json(numbers),))
        return {root for (root,) in found}

    def in_trees(self, roots: Iterable[int]) -> list[int]:
        """The numbers of all agents of these trees."""
        wanted = _json(roots)
        found = self._many(
            f"SELECT number FROM agents WHERE number IN {_LISTED}"
            f" UNION SELECT number FROM agents WHERE parent IS NOT NULL AND root IN {_LISTED}",
            (wanted, wanted),
        )
        return [number for (number,) in found]

    def children(self, parents: Iterable[int]) -> dict[int, list[int]]:
        """The numbers of the children of each of `parents` that has any."""
        found: dict[int, list[int]] = {}
        query = f"SELECT parent, number FROM agents WHERE parent IN {_LISTED} ORDER BY number"
        for parent, number in self._many(query, (_json(parents),)):
            found.setdefault(parent, []).append(number)
        return found

    def kin(self, root: AgentId) -> int:
        """How many agents were ever spawned inside this tree."""
        row = self._one("SELECT count(*) FROM agents WHERE parent IS NOT NULL AND root = ?", (number_of(root),))
        return int(row[0]) if row else 0

    def answer(self, request: str) -> StoredAnswer | None:
        """What this request was answered before, if it was."""
        row = self._one("SELECT op, caller, result FROM answers WHERE request = ?", (request,))
        return StoredAnswer(request, row[0], row[1], unpack(row[2])) if row else None

    def facts(self, since: int, count: int, root: int | None = None) -> list[StoredFact]:
        """The first `count` facts after `since`, of one tree (and of the box) or of all."""
        found = self._many(
            "SELECT seq, at, event, agent, doc FROM facts"
            " WHERE seq > ? AND (?2 IS NULL OR root IS NULL OR root = ?2) ORDER BY seq LIMIT ?3",
            (since, root, count),
        )
        return [StoredFact(seq, at, event, agent, unpack(doc)) for seq, at, event, agent, doc in found]

    def last_seq(self) -> int:
        """The sequence number of the newest fact that is known to be on the disk; 0 before the first."""
        return self._seq

    def close(self) -> None:
        """Fold the write-ahead log into the file and let it go."""
        self.commits.close()
        self._db.close()

    def _agents(self, where: str, *values: object) -> Iterator[Agent]:
        for number, spec, doc in self._many(f"SELECT number, spec, doc FROM agents WHERE {where}", values):
            yield self._sound(partial(unpack_agent, agent_id(number), spec, doc))

    def _sound(self, read: Callable[[], T]) -> T:
        """What a row says. One that makes no sense was not written by us."""
        try:
            return read()
        except (ValueError, TypeError, LookupError, UnpackException) as error:
            raise StoreError(f"{self._path}: a row makes no sense ({error!r}): {_REMEDIES['SQLITE_CORRUPT']}") from None

    def _one(self, query: str, values: Sequence[object] = ()) -> Any:
        found = self._many(query, values)
        return found[0] if found else None

    def _many(self, query: str, values: Sequence[object] = ()) -> list[Any]:
        try:
            self.commits.wait()
            return self._db.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise StoreError(self._explained(error)) from None

    def _explained(self, error: sqlite3.Error) -> str:
        name = getattr(error, "sqlite_errorname", "") or type(error).__name__
        return f"{self._path}: {error} ({name}): {_REMEDIES.get(name.partition('_IOERR')[0], _REMEDIES[''])}"


def _json(numbers: Iterable[int]) -> str:
    """A list as `_LISTED` reads it."""
    return f"[{','.join(map(str, numbers))}]"


_REMEDIES = {
    "SQLITE_FULL": "the disk is full: free some space and start orchd again; nothing that it answered is lost",
    "SQLITE_READONLY": "the state directory cannot be written: make it writable and start orchd again",
    "SQLITE_CANTOPEN": "the state directory cannot be used: check that it exists and is yours",
    "SQLITE_NOTADB": "the file is not a database: restore it from a backup, or move it away to begin anew",
    "SQLITE_CORRUPT": "the file is damaged: restore it from a backup, or move it away to begin anew",
    "": "see that the state directory is writable and its disk sound, then start orchd again",
}
