"""A database whose commits a test delays: the disk takes as long as the test wants."""

from __future__ import annotations

import select
import sqlite3
import threading

from orchd.store.commit_thread import CommitThread


class SlowDisk:
    """A connection, as far as `CommitThread` needs one, whose statements a test can block."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._gate = threading.Event()
        self._gate.set()

    def execute(self, statement: str) -> sqlite3.Cursor:
        """Execute a statement, once the test lets it."""
        assert self._gate.wait(20)
        return self._connection.execute(statement)

    def hold(self) -> None:
        """Block statements from now on."""
        self._gate.clear()

    def let(self) -> None:
        """Let statements pass again."""
        self._gate.set()


def is_readable(commits: CommitThread, seconds: float = 0.0) -> bool:
    """Whether the loop would be woken."""
    poll = select.poll()
    poll.register(commits.fileno(), select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def let_end(connection: SlowDisk, commits: CommitThread) -> None:
    """Let the pending commit end, and return when it has."""
    connection.let()
    assert is_readable(commits, 20.0)
