"""Opens a copy of a database once for each thing that opening does to the disk, and dies there by SIGKILL.

`crash_points.py DATABASE DIRECTORY`: prints how many deaths there were. Each leaves DIRECTORY/NUMBER as a crash would.
"""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from orchd.store import migrations
from orchd.store.database import Store
from tests.support.steps import STEPS

_left = [0]  # how much more may be done


def counted(original: Callable[..., Any]) -> Callable[..., Any]:
    """A function that does the same, or kills the process when its number comes."""

    def instead(*args: Any, **kwargs: Any) -> Any:
        _left[0] -= 1
        if _left[0] < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*args, **kwargs)

    return instead


class CrashingConnection(sqlite3.Connection):
    """A connection whose statements and backups count as points at which the process can die."""

    execute = counted(sqlite3.Connection.execute)
    backup = counted(sqlite3.Connection.backup)


def survives(path: Path, number: int) -> bool:
    """Whether a process that is to die at the point `number` ends before it reaches that point."""
    pid = os.fork()
    if pid:
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        assert code in (0, -signal.SIGKILL), code
        return code == 0
    _left[0] = number
    connect = sqlite3.connect
    sqlite3.connect = lambda *args, **kwargs: connect(*args, **{"factory": CrashingConnection, **kwargs})
    for name in ("open", "fsync"):
        setattr(os, name, counted(getattr(os, name)))
    for name in ("replace", "unlink"):
        setattr(Path, name, counted(getattr(Path, name)))
    migrations.STEPS = (*migrations.STEPS, *STEPS)
    Store(path)
    os._exit(0)


def main() -> None:
    """Until one survives."""
    database, directory = Path(sys.argv[1]), Path(sys.argv[2])
    number = 0
    while True:
        home = directory / str(number)
        home.mkdir()
        shutil.copy(database, home / "orchd.db")
        if survives(home / "orchd.db", number):
            break
        number += 1
    sys.stdout.write(str(number))


if __name__ == "__main__":
    main()
