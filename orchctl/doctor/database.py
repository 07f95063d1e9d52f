"""The database, looked at without changing it."""

from __future__ import annotations

import time

from orchctl.doctor.findings import Finding, ok, problem
from orchd.instance import database_file
from orchd.instance.home import Home

_SECONDS = 0.5
_PUT_BACK = "restore a backup; agents that still run are then agents like any others, if it is new enough"


def database(home: Home) -> Finding:
    """Whether a daemon can use it."""
    found = database_file.check(home.database, time.monotonic, _SECONDS)
    if found.is_empty and any(home.agents.glob("agent-*.*")):
        return problem("database", database_file.lost(home.database, f"has lost its agents: {found.note}"), _PUT_BACK)
    if found.problem is None:
        return ok("database", f"{home.database}: {found.note}")
    return problem("database", found.problem, found.remedy)
