"""Queries of the database: agents, runs, sessions and events that need not be in memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from msgpack import UnpackException

from orchd.core.state.agents import Agent, AgentId, Status, agent_id, number_of
from orchd.core.state.runs import Run, RunId, number_of_run, run_id
from orchd.core.state.sessions import Session, SessionId, number_of_session, session_id
from orchd.errors import DiskFull, StoreError
from orchd.instance.database_file import REMEDIES, reason
from orchd.monitors.disk_space import has_room
from orchd.store import rows
from orchd.store.codec import pack, unpack, unpack_agent, unpack_run, unpack_session
from orchd.store.commit_thread import CommitThread

T = TypeVar("T")

_NEEDS_ROOM = ("SQLITE_IOERR", "SQLITE_CANTOPEN")
LISTED = "(SELECT value FROM json_each(?))"


class StoredReply(NamedTuple):
    """The reply to a request, and its caller: the number of the agent, or None for a user."""

    request: str
    op: str
    caller: int | None
    result: object


class StoredFact(NamedTuple):
    """A row of the table of events."""

    seq: int
    at: float
    event: str
    agent: int | None
    doc: dict[str, object]


class Reader:
    """The queries, for a subclass that has the database open. Methods raise StoreError where there is no answer."""

    _path: Path
    _db: sqlite3.Connection
    commits: CommitThread

    def unfinished_runs(self) -> list[Run]:
        """Return the runs that have not finished, with their members."""
        return [self._run(number, doc) for number, doc in self._many("SELECT number, doc FROM runs WHERE is_over = 0")]

    def run(self, run: RunId) -> Run | None:
        """Return a run as it was last written."""
        number = number_of_run(run)
        row = self._one("SELECT doc FROM runs WHERE number = ?", (number,))
        return self._run(number, row[0]) if row else None

    def runs(self, before: int | None, count: int, root: int | None = None, *, only_over: bool = False) -> list[Run]:
        """Return the `count` newest runs below `before`, of one tree or of all, newest first; all, or only finished
        ones."""
        pairs = self._many(
            "SELECT number, doc FROM runs WHERE number < ? AND (?2 IS NULL OR root = ?2) AND is_over >= ?3"
            " ORDER BY number DESC LIMIT ?4",
            (before if before is not None else 2**62, root, only_over, count),
        )
        return [self._run(number, doc) for number, doc in pairs]

    def _run(self, number: int, doc: bytes) -> Run:
        members = list(self._agents("run = ? ORDER BY number", number))
        return self._sound(partial(unpack_run, run_id(number), doc, members))

    def newest_named(self, name: str, root: AgentId | None, but: Container[AgentId], above: int) -> AgentId | None:
        """Return the newest agent of this name with a number above `above`, of one tree or of all."""
        key = pack({"name": name})[1:]  # as it stands in a packed spec; elsewhere in it, that may be by chance
        tree = number_of(root) if root else None
        query = "SELECT number, spec FROM agents WHERE number > ? AND (?2 IS NULL OR root = ?2) AND instr(spec, ?3)"
        for number, spec in self._many(f"{query} ORDER BY number DESC LIMIT 100", (above, tree, key)):
            if agent_id(number) not in but and unpack(spec)[0]["name"] == name:
                return agent_id(number)
        return None

    def session(self, session: SessionId) -> Session | None:
        """Return a session as it was last written."""
        number = number_of_session(session)
        return next(self._sessions("number = ?", number), None)

    def open_session(self, directory: str) -> Session | None:
        """Return the session that is open in a directory."""
        wanted = "directory = ? AND is_closed = 0 ORDER BY number DESC LIMIT 1"
        return next(self._sessions(wanted, rows.bytes_of(directory)), None)

    def sessions(self, before: int | None, count: int, directory: str | None = None) -> list[Session]:
        """Return the `count` newest sessions below `before`, of one directory or of all, newest first."""
        wanted = "number < ? AND (?2 IS NULL OR directory = ?2) ORDER BY number DESC LIMIT ?3"
        where = None if directory is None else rows.bytes_of(directory)
        return list(self._sessions(wanted, before if before is not None else 2**62, where, count))

    def _sessions(self, where: str, *values: object) -> Iterator[Session]:
        for number, doc in self._many(f"SELECT number, doc FROM sessions WHERE {where}", values):
            yield self._sound(partial(unpack_session, session_id(number), doc))

    def in_session(self, session: SessionId, before: int | None, count: int, root: int | None = None) -> list[int]:
        """Return the numbers of a session's `count` newest agents below `before`, of one tree or of all, newest
        first."""
        numbers = self._many(
            "SELECT number FROM agents WHERE session = ? AND number < ? AND (?4 IS NULL OR root = ?4)"
            " ORDER BY number DESC LIMIT ?3",
            (number_of_session(session), before if before is not None else 2**62, count, root),
        )
        return [number for (number,) in numbers]

    def sessions_since(self, since: int) -> list[SessionId]:
        """Return the sessions of the events after `since`."""
        numbers = self._many("SELECT DISTINCT session FROM events WHERE seq > ? AND session IS NOT NULL", (since,))
        return [session_id(number) for (number,) in numbers]

    def events_of(self, session: SessionId, since: int) -> list[StoredFact]:
        """Return the events of a session after `since`."""
        stored = self._many(
            "SELECT seq, at, event, agent, doc FROM events WHERE seq > ? AND session = ? ORDER BY seq",
            (since, number_of_session(session)),
        )
        return [StoredFact(seq, at, event, agent, unpack(doc)) for seq, at, event, agent, doc in stored]

    def writers(self, results: Iterable[str]) -> list[Agent]:
        """Return, for each of these files, the agents that may yet write it and the newest agent that completed with
        it."""
        query = "SELECT number FROM agents WHERE result = ? AND is_over = 1 ORDER BY number DESC"
        writers: list[Agent] = []
        for result in map(rows.bytes_of, results):
            writers += self._agents("result = ? AND is_over = 0 ORDER BY number", result)
            # one at a time: a job that is repeated may have thousands, and the newest has completed as a rule
            over = self._many(query, (result,))
            agents = (agent for (number,) in over for agent in self._agents("number = ?", number))
            writers += islice((agent for agent in agents if agent.status is Status.COMPLETED), 1)
        return writers

    def skills(self, names: Iterable[str]) -> dict[str, tuple[float, int]]:
        """Return seconds and samples of each of these skills of which an agent has completed."""
        query = "SELECT seconds, samples FROM skills WHERE name = ?"
        samples = {name: self._one(query, (rows.bytes_of(name),)) for name in names}
        return {name: (row[0], row[1]) for name, row in samples.items() if row is not None}

    def agent(self, agent: AgentId) -> Agent | None:
        """Return an agent as it was last written."""
        return next(self._agents("number = ?", number_of(agent)), None)

    def agents(self, numbers: Iterable[int]) -> list[Agent]:
        """Return the agents of `numbers` that exist, oldest first."""
        return list(self._agents(f"number IN {LISTED} ORDER BY number", listed(numbers)))

    def page(self, before: int | None, count: int, root: int | None = None) -> list[int]:
        """Return the numbers of the `count` newest agents below `before`, of one tree or of all, newest first."""
        numbers = self._many(
            "SELECT number FROM agents WHERE number < ? AND (?2 IS NULL OR root = ?2) ORDER BY number DESC LIMIT ?3",
            (before if before is not None else 2**62, root, count),
        )
        return [number for (number,) in numbers]

    def roots_of(self, numbers: Iterable[int]) -> set[int]:
        """Return the numbers of the roots of the trees that these agents are in."""
        roots = self._many(f"SELECT DISTINCT root FROM agents WHERE number IN {LISTED}", (listed(numbers),))
        return {root for (root,) in roots}

    def in_trees(self, roots: Iterable[int]) -> list[int]:
        """Return the numbers of all agents of these trees."""
        wanted = listed(roots)
        numbers = self._many(
            f"SELECT number FROM agents WHERE number IN {LISTED}"
            f" UNION SELECT number FROM agents WHERE parent IS NOT NULL AND root IN {LISTED}",
            (wanted, wanted),
        )
        return [number for (number,) in numbers]

    def children(self, parents: Iterable[int]) -> dict[int, list[int]]:
        """Return the numbers of the children of each of `parents` that has any."""
        children: dict[int, list[int]] = {}
        query = f"SELECT parent, number FROM agents WHERE parent IN {LISTED} ORDER BY number"
        for parent, number in self._many(query, (listed(parents),)):
            children.setdefault(parent, []).append(number)
        return children

    def kin(self, root: AgentId) -> int:
        """Return how many agents were ever spawned inside this tree."""
        row = self._one("SELECT count(*) FROM agents WHERE parent IS NOT NULL AND root = ?", (number_of(root),))
        return int(row[0]) if row else 0

    def answer(self, request: str) -> StoredReply | None:
        """Return the stored reply to this request, if there is one."""
        row = self._one("SELECT op, caller, result FROM replies WHERE request = ?", (request,))
        return StoredReply(request, row[0], row[1], unpack(row[2])) if row else None

    def events(self, since: int, count: int, root: int | None = None) -> list[StoredFact]:
        """Return the first `count` events after `since`, of one tree (and of the host) or of all."""
        stored = self._many(
            "SELECT seq, at, event, agent, doc FROM events"
            " WHERE seq > ? AND (?2 IS NULL OR root = ?2 OR (root IS NULL AND session IS NULL)) ORDER BY seq LIMIT ?3",
            (since, root, count),
        )
        return [StoredFact(seq, at, event, agent, unpack(doc)) for seq, at, event, agent, doc in stored]

    def events_about(self, agent: Agent, since: int, count: int) -> list[StoredFact]:
        """Return the first `count` events after `since` that are about `agent`. Scans the events of its tree."""
        stored = self._many(
            "SELECT seq, at, event, agent, doc FROM events"
            " WHERE root = ? AND seq > ? AND agent = ? ORDER BY seq LIMIT ?",
            (number_of(agent.root), since, agent.number, count),
        )
        return [StoredFact(seq, at, event, agent, unpack(doc)) for seq, at, event, agent, doc in stored]

    def _agents(self, where: str, *values: object) -> Iterator[Agent]:
        for number, spec, doc in self._many(f"SELECT number, spec, doc FROM agents WHERE {where}", values):
            yield self._sound(partial(unpack_agent, agent_id(number), spec, doc))

    def _sound(self, read: Callable[[], T]) -> T:
        """Return what `read` makes of a row. Raises StoreError for a row that this program cannot have written."""
        try:
            return read()
        except (ValueError, TypeError, LookupError, UnpackException) as error:
            raise StoreError(f"{self._path}: a row is not valid ({error!r}): {REMEDIES['SQLITE_CORRUPT']}") from None

    def _one(self, query: str, values: Sequence[object] = ()) -> Any:
        matches = self._many(query, values)
        return matches[0] if matches else None

    def _many(self, query: str, values: Sequence[object] = ()) -> list[Any]:
        try:
            self.commits.wait()
            return self._db.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise self._failure(error) from None

    def _failure(self, error: sqlite3.Error) -> StoreError:
        """Return the error to raise: DiskFull where only room is missing."""
        kind = DiskFull if is_full(error, self._path.parent) else StoreError
        return kind(f"{self._path}: {reason(error)}")


def is_full(error: sqlite3.Error, directory: Path) -> bool:
    """Whether the error comes from a full disk: SQLite reports a file that it cannot extend or create, and a used-up
    quota, as an I/O error."""
    name = getattr(error, "sqlite_errorname", "")
    if name == "SQLITE_FULL":
        return True
    return name.startswith(_NEEDS_ROOM) and not has_room(directory)


def listed(numbers: Iterable[int]) -> str:
    """Return numbers in the form that `LISTED` reads."""
    return f"[{','.join(map(str, numbers))}]"
