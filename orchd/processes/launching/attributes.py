"""Sets process attributes of a shim, and so of its agent, as far as the kernel permits.

A resource limit that would be too low for the shim itself is left to stage.py, which sets it on the agent alone. The
umask is set by the shim's subshell.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import suppress
from functools import cache

from orchd.core.state.agents import ProcessAttributes
from orchd.processes.linux.procfs import PROC
from orchd.protocol.attributes import UNLIMITED, parse_cpus

PRIVATE = 0o077
_POLICIES = {"other": os.SCHED_OTHER, "batch": os.SCHED_BATCH, "idle": os.SCHED_IDLE}
_NEEDED = {  # by a shim, and by Python where it stands between the shim and the agent
    "as": 1 << 30,
    "cpu": 60,
    "data": 1 << 28,
    "fsize": 1 << 20,
    "nofile": 64,
    "nproc": 4096,  # counts all processes of the user, and the shim has to start one
    "stack": 1 << 20,
}


def filled(attributes: ProcessAttributes | None, defaults: ProcessAttributes) -> ProcessAttributes:
    """Return these attributes, with defaults for the missing values."""
    if attributes is None:
        return defaults
    return ProcessAttributes(
        umask=defaults.umask if attributes.umask is None else attributes.umask,
        nice=defaults.nice if attributes.nice is None else attributes.nice,
        policy=attributes.policy or defaults.policy,
        cpus=attributes.cpus or defaults.cpus,
        limits=attributes.limits or defaults.limits,
        oom_score_adj=defaults.oom_score_adj if attributes.oom_score_adj is None else attributes.oom_score_adj,
    )


def staged_limits(attributes: ProcessAttributes) -> str:
    """Return the limits that are too low for a shim, in the form that orchd/processes/launching/stage.py reads."""
    low = (entry for entry in attributes.limits if not _is_enough(entry[0], entry[1]))
    return " ".join(f"{_number(name)}:{soft}:{hard}" for name, soft, hard in low)


def apply(pid: int, attributes: ProcessAttributes) -> str | None:
    """Set attributes on a shim that has no agent yet. Returns a message for each that could not be set."""
    with suppress(ProcessLookupError, FileNotFoundError):  # the end of a shim is reported by its own event
        unmet = [*_limits(pid, attributes), *_schedule(pid, attributes), *_cpus(pid, attributes.cpus)]
        if attributes.oom_score_adj and attributes.oom_score_adj > 0:  # the protection of a caller is not for agents
            place = PROC / str(pid) / "oom_score_adj"
            try:
                place.write_text(str(attributes.oom_score_adj), encoding="ascii")
            except PermissionError:  # lower than that of the daemon's start
                unmet.append(
                    f"oom_score_adj {attributes.oom_score_adj}: it is {place.read_text(encoding='ascii').strip()}"
                )
        return "; ".join(unmet) or None
    return None


def _limits(pid: int, attributes: ProcessAttributes) -> Iterator[str]:
    for name, soft, hard in attributes.limits:
        if not _is_enough(name, hard):
            continue
        number = _number(name)
        wanted = (soft if _is_enough(name, soft) else hard, hard)
        try:
            resource.prlimit(pid, number, wanted)
        except (PermissionError, ValueError):  # a hard limit above ours, or above what the kernel allows
            _, highest = resource.prlimit(pid, number)
            resource.prlimit(pid, number, (_lower(wanted[0], highest), _lower(hard, highest)))
            yield f"{name} {_text(soft)} (hard {_text(hard)}): its hard limit is {_text(_lower(hard, highest))}"


def _schedule(pid: int, attributes: ProcessAttributes) -> Iterator[str]:
    if attributes.policy is not None and os.sched_getscheduler(pid) != _POLICIES[attributes.policy]:
        try:
            os.sched_setscheduler(pid, _POLICIES[attributes.policy], os.sched_param(0))
        except PermissionError:
            yield f"scheduling policy {attributes.policy}: permission denied"
    if attributes.nice is not None:
        try:
            os.setpriority(os.PRIO_PROCESS, pid, attributes.nice)
        except PermissionError:
            yield f"nice {attributes.nice}: it is {os.getpriority(os.PRIO_PROCESS, pid)}"


def _cpus(pid: int, cpus: str | None) -> Iterator[str]:
    if cpus is None:
        return
    wanted = parse_cpus(cpus)
    try:
        os.sched_setaffinity(pid, wanted)
    except ProcessLookupError:
        raise
    except OSError:  # this process may use none of them
        yield f"CPUs {cpus}: none of them is available"
    else:
        if lacking := wanted - os.sched_getaffinity(pid):
            yield f"CPUs {cpus}: {len(lacking)} of them are not available"


@cache
def _number(name: str) -> int:
    number: int = getattr(resource, f"RLIMIT_{name.upper()}")
    return number


def _is_enough(name: str, amount: int) -> bool:
    return amount == UNLIMITED or amount >= _NEEDED.get(name, 0)


def _lower(first: int, second: int) -> int:
    return max(first, second) if UNLIMITED in (first, second) else min(first, second)


def _text(amount: int) -> str:
    return "unlimited" if amount == UNLIMITED else str(amount)
