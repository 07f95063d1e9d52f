"""A thread that runs COMMIT: it takes as long as the disk needs, and the daemon decides the next turn meanwhile."""

from __future__ import annotations

import os
import sqlite3
import threading
from queue import SimpleQueue


class CommitThread:
    """Commits the transactions of one connection, one at a time and in their order.

    Between `begin` and `finish` the connection belongs to the thread, otherwise to the caller: so nothing is read that
    is not on the disk yet, and no transaction begins while the previous one may still fail. After a failure no further
    one begins.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._statements: SimpleQueue[str | None] = SimpleQueue()
        self._ended = os.eventfd(0, os.EFD_CLOEXEC)
        self._error: sqlite3.Error | None = None
        self.is_pending = False
        self.has_ended = False  # what is pending; `finish` will not have to wait
        self._worker = threading.Thread(target=self._work, name="commits", daemon=True)
        self._worker.start()

    def fileno(self) -> int:
        """Return a file descriptor that is readable when the pending commit has ended."""
        return self._ended

    def begin(self) -> None:
        """Start to commit the open transaction."""
        self.is_pending = True
        self._statements.put("COMMIT")

    def wait(self) -> None:
        """Wait until no commit is pending. Raises the error of COMMIT."""
        if self.is_pending:
            os.eventfd_write(self._ended, os.eventfd_read(self._ended))  # the caller of `finish` still sees it
        if self._error is not None:
            raise self._error

    def finish(self) -> None:
        """Wait, and take the connection back. Raises the error of COMMIT."""
        if self.is_pending:
            os.eventfd_read(self._ended)
            self.is_pending = self.has_ended = False
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """Stop the thread, after the pending commit."""
        if not self._worker.is_alive():
            return
        self._statements.put(None)
        self._worker.join()
        os.close(self._ended)

    def _work(self) -> None:
        while (statement := self._statements.get()) is not None:
            try:
                self._connection.execute(statement)
            except sqlite3.Error as error:
                self._error = error
            self.has_ended = True
            os.eventfd_write(self._ended, 1)
