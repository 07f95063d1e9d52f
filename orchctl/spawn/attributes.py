"""The attributes of this process that the agents it asks for get: umask, niceness, policy, CPUs, resource limits,
and how much sooner than others they are ended when memory runs out."""

from __future__ import annotations

import os
import resource
from pathlib import Path
from typing import Any

_NAMES = {
    number: name.removeprefix("RLIMIT_").lower()
    for name, number in vars(resource).items()
    if name[:7] == "RLIMIT_" and name != "RLIMIT_OFILE"
}
_POLICIES = {os.SCHED_OTHER: "other", os.SCHED_BATCH: "batch", os.SCHED_IDLE: "idle"}


def _oom_score_adj() -> int:
    try:
        return int(Path("/proc/self/oom_score_adj").read_text(encoding="ascii"))
    except OSError:
        return 0


def own() -> dict[str, Any]:
    """These attributes as a request has them."""
    status = dict(line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":\t" in line)
    found: dict[str, Any] = {
        "nice": os.getpriority(os.PRIO_PROCESS, 0),
        "limits": {name: list(resource.getrlimit(number)) for number, name in _NAMES.items()},
    }
    if (oom := _oom_score_adj()) > 0:
        found["oom_score_adj"] = oom
    if policy := _POLICIES.get(os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK):
        found["policy"] = policy
    if "Umask" in status:
        found["umask"] = int(status["Umask"], 8)
    if "Cpus_allowed_list" in status:
        found["cpus"] = status["Cpus_allowed_list"].strip()
    return found
