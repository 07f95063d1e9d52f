"""Commits: one at a time, in their order, and no other thread uses the connection meanwhile."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from orchd.store.commit_thread import CommitThread
from tests.support.slow_disk import SlowDisk, is_readable, let_end


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """One table."""
    with closing(sqlite3.connect(tmp_path / "db", isolation_level=None, check_same_thread=False)) as connection:
        connection.execute("CREATE TABLE t (n)")
        yield connection


@pytest.fixture
def connection(database: sqlite3.Connection) -> SlowDisk:
    """A connection to a disk that can be blocked."""
    return SlowDisk(database)


@pytest.fixture
def commits(connection: SlowDisk) -> Iterator[CommitThread]:
    """The thread under test."""
    thread = CommitThread(connection)  # type: ignore[arg-type]
    yield thread
    connection.let()
    thread.close()


def rows(tmp_path: Path) -> list[int]:
    """The rows that another connection reads."""
    with closing(sqlite3.connect(tmp_path / "db")) as other:
        return [n for (n,) in other.execute("SELECT n FROM t")]


def insert(database: sqlite3.Connection, n: int) -> None:
    """A transaction that is not ended."""
    database.execute("BEGIN")
    database.execute("INSERT INTO t VALUES (?)", (n,))


def test_a_commit_is_invisible_until_its_end_wakes_the_loop(
    database: sqlite3.Connection, connection: SlowDisk, commits: CommitThread, tmp_path: Path
) -> None:
    insert(database, 1)
    connection.hold()
    commits.begin()
    assert (commits.is_pending, commits.has_ended) == (True, False)
    assert not is_readable(commits)
    assert rows(tmp_path) == []
    let_end(connection, commits)
    assert commits.has_ended
    commits.finish()
    assert (commits.is_pending, commits.has_ended) == (False, False)
    assert not is_readable(commits)
    assert rows(tmp_path) == [1]


def test_each_commit_ends_before_the_next_begins(
    database: sqlite3.Connection, commits: CommitThread, tmp_path: Path
) -> None:
    for n in range(20):
        insert(database, n)
        commits.begin()
        commits.finish()
    assert rows(tmp_path) == list(range(20))


def test_waiting_for_a_commit_leaves_the_wakeup_for_the_loop(
    database: sqlite3.Connection, commits: CommitThread
) -> None:
    commits.wait()
    insert(database, 1)
    commits.begin()
    commits.wait()
    assert is_readable(commits)
    assert commits.is_pending


def test_a_failed_commit_raises_in_every_wait_and_finish(commits: CommitThread) -> None:
    commits.begin()  # of no transaction
    for ask in (commits.wait, commits.finish, commits.wait, commits.finish):
        with pytest.raises(sqlite3.OperationalError, match="no transaction"):
            ask()


def test_closing_ends_the_pending_commit_and_the_thread(
    database: sqlite3.Connection, commits: CommitThread, tmp_path: Path
) -> None:
    insert(database, 1)
    commits.begin()
    commits.close()
    commits.close()
    assert rows(tmp_path) == [1]
    assert commits._worker not in threading.enumerate()
