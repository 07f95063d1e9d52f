"""Pruning queries: what can be deleted is read as whole trees and deleted in pieces, so that no transaction takes long.

Rows go before files. The first transaction stores the list of agents to delete, so that a daemon after a crash can
continue.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from orchd.core.state.agents import Agent, Status
from orchd.core.state.runs import number_of_run
from orchd.store import rows
from orchd.store.codec import pack, unpack
from orchd.store.reader import LISTED, Reader, listed


class Pruned(NamedTuple):
    """The number of agents that were pruned, and up to which event."""

    agents: int = 0
    seq: int = 0  # events up to this one may be gone


class Root(NamedTuple):
    """The first agent of a tree."""

    number: int
    run: int | None  # the run that it is a member of: then its mates' trees and its own are one


class PrunedAgent(NamedTuple):
    """An agent that is being deleted from the history: its rows, then its files."""

    number: int
    attempts: int


class PruneQueries(Reader):
    """The queries and deletions that pruning needs."""

    pruned = Pruned()

    def roots(self, after: int, count: int) -> list[Root]:
        """Return the `count` oldest roots above the number `after`."""
        query = "SELECT number, run FROM agents WHERE number > ? AND parent IS NULL ORDER BY number LIMIT ?"
        return [Root(*row) for row in self._many(query, (after, count))]

    def whole(self, root: Root) -> list[Agent]:
        """Return all agents that stay or go together with `root`; none when an earlier member of its run stands for
        them."""
        roots = [root.number]
        if root.run is not None:
            members = self._many("SELECT number FROM agents WHERE run = ? ORDER BY number", (root.run,))
            roots = [number for (number,) in members]
            if roots[0] != root.number:
                return []
        return self.agents(self.in_trees(roots))

    def leaving(self) -> list[PrunedAgent]:
        """Return the agents that a daemon had begun to delete, whose files may not all be gone."""
        row = self._one("SELECT value FROM meta WHERE key = 'leaving'")
        return self._sound(lambda: [PrunedAgent(*fields) for fields in unpack(row[0])]) if row else []

    def written_by(self, results: Iterable[str]) -> dict[str, int]:
        """Return, for each of these files that a pruned agent wrote, the number of that agent."""
        query = "SELECT number FROM results WHERE result = ?"
        numbers = {result: self._one(query, (rows.bytes_of(result),)) for result in results}
        return {result: row[0] for result, row in numbers.items() if row is not None}

    def take_out(self, piece: Sequence[PrunedAgent], rest: Sequence[PrunedAgent], chosen: Sequence[Agent] = ()) -> None:
        """Delete the rows of `piece`, and store it with the `rest` for as long as files may be left.

        The deletion is on the disk when the pending commit has ended. Of the `chosen` agents the facts that must stay
        known are stored, and their runs are deleted at once, since a run must never be visible in part.
        """
        self.commits.finish()
        try:
            self._db.execute("BEGIN IMMEDIATE")
            results, runs = [], set()
            for agent in chosen:
                if agent.spec.result and agent.status is Status.COMPLETED:
                    results.append((rows.bytes_of(agent.spec.result), agent.number))
                if agent.spec.member is not None:
                    runs.add(number_of_run(agent.spec.member.run))
            self._db.executemany("INSERT OR REPLACE INTO results VALUES (?, ?)", results)
            self._db.execute(f"DELETE FROM runs WHERE number IN {LISTED}", (listed(runs),))
            self._delete(listed(agent.number for agent in piece))
            self._db.execute("INSERT OR REPLACE INTO meta VALUES ('leaving', ?)", (pack([*piece, *rest]),))
            self._db.execute("INSERT OR REPLACE INTO meta VALUES ('pruned', ?)", (pack(self.pruned),))
        except sqlite3.Error as error:
            raise self._failure(error) from None
        self.commits.begin()

    def _delete(self, numbers: str) -> None:
        """Delete agents, the events of trees that begin with them, closed sessions without agents, and the events
        before the first tree that is left."""
        sessions = self._column(f"SELECT DISTINCT session FROM agents WHERE number IN {LISTED}", numbers)
        (newest,) = self._column(f"SELECT max(seq) FROM events WHERE root IN {LISTED}", numbers)
        self._db.execute(f"DELETE FROM events WHERE root IN {LISTED}", (numbers,))
        gone = self._db.execute(f"DELETE FROM agents WHERE number IN {LISTED}", (numbers,)).rowcount
        self._db.execute(
            f"DELETE FROM sessions WHERE is_closed AND number IN {LISTED}"
            " AND NOT EXISTS (SELECT 1 FROM agents WHERE session = sessions.number)",
            (listed(number for number in sessions if number is not None),),
        )
        # The events before the first event of any tree go too, unless the run or session that they are about is left.
        # The plus keeps the query from the index, which would be read as a whole: the rows wanted are the first.
        first = self._column("SELECT seq FROM events WHERE +root IS NOT NULL ORDER BY seq LIMIT 1")
        query = "SELECT seq, event, session, doc FROM events WHERE seq < ?"
        candidates = self._db.execute(query, (first[0] if first else 0,)).fetchall()
        events = [seq for seq, event, session, doc in candidates if not self._is_about_the_rest(event, session, doc)]
        self._db.execute(f"DELETE FROM events WHERE seq IN {LISTED}", (listed(events),))
        self.pruned = Pruned(self.pruned.agents + gone, max(self.pruned.seq, newest or 0, *events))

    def _is_about_the_rest(self, event: str, session: int | None, doc: bytes) -> bool:
        """Whether the run or session that an event is about is left."""
        if event.startswith("run-"):
            number = number_of_run(unpack(doc)["run"])
            return bool(self._column("SELECT 1 FROM runs WHERE number = ?", number))
        if event.startswith("session-"):
            return bool(self._column("SELECT 1 FROM sessions WHERE number = ?", session))
        return False

    def _column(self, query: str, *values: object) -> list[Any]:
        return [value for (value,) in self._db.execute(query, values)]

    def _remember_pruned(self) -> None:
        if row := self._one("SELECT value FROM meta WHERE key = 'pruned'"):
            self.pruned = self._sound(lambda: Pruned(*unpack(row[0])))
