"""Attributes of this process that its agents inherit: umask, niceness, policy, CPUs, resource limits, OOM score."""

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


def own() -> dict[str, Any]:
    """Return these attributes as a request has them."""
    status = dict(line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":\t" in line)
    attributes: dict[str, Any] = {
        "nice": os.getpriority(os.PRIO_PROCESS, 0),
        "limits": {name: list(resource.getrlimit(number)) for number, name in _NAMES.items()},
    }
    try:
        oom_score_adj = int(Path("/proc/self/oom_score_adj").read_text(encoding="ascii"))
    except OSError:
        oom_score_adj = 0
    if oom_score_adj > 0:
        attributes["oom_score_adj"] = oom_score_adj
    if policy := _POLICIES.get(os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK):
        attributes["policy"] = policy
    if "Umask" in status:
        attributes["umask"] = int(status["Umask"], 8)
    if "Cpus_allowed_list" in status:
        attributes["cpus"] = status["Cpus_allowed_list"].strip()
    return attributes
