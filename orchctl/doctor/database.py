"""The database, looked at without changing it."""

from __future__ import annotations

import time

from orchctl.doctor.findings import Finding, ok, problem
from orchd.wire import Home
from orchd.wire import database as database_file

_SECONDS = 0.5


def database(home: Home) -> Finding:
    """Whether a daemon can use it."""
    found = database_file.check(home.database, time.monotonic, _SECONDS)
    if found.problem is None:
        return ok("database", f"{home.database}: {found.note}")
    return problem("database", found.problem, found.remedy)
