"""Removes variables that refer to descriptors or to a service manager of a single process."""

from __future__ import annotations

import re
from collections.abc import Mapping

# They name descriptors, or a process, that an agent does not have; what speaks to a service manager speaks for a unit.
_OF_THIS_PROCESS = frozenset(
    {"LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "LISTEN_PIDFDID", "NOTIFY_SOCKET"}
    | {"WATCHDOG_PID", "WATCHDOG_USEC"}
)
_FLAGS = frozenset({"MAKEFLAGS", "MFLAGS", "CARGO_MAKEFLAGS"})
_END = re.compile(r"(?:^|(?<= ))--(?: |$)")
_JOBSERVER = re.compile(r"--jobserver-(?:auth|fds)=-?[0-9]+,-?[0-9]+")  # the form with a path is `fifo:PATH`


def without_descriptors(variables: Mapping[str, str]) -> dict[str, str]:
    """Return these variables for a process that inherits no descriptors."""
    kept = {name: value for name, value in variables.items() if name not in _OF_THIS_PROCESS}
    for name in _FLAGS & kept.keys():
        if flags := without_jobserver(kept[name]):
            kept[name] = flags
        else:
            del kept[name]
    return kept


def without_jobserver(flags: str) -> str:
    """Return flags of make(1) without the descriptors of a jobserver and the `-j` that belongs to it; unchanged without
    a jobserver. Assignments of variables, after `--`, are not flags."""
    end = _END.search(flags)
    own, rest = (flags, "") if end is None else (flags[: end.start()], flags[end.start() :])
    words = own.split(" ")
    if not any(map(_JOBSERVER.fullmatch, words)):
        return flags
    kept = " ".join(word for word in words if word != "-j" and not _JOBSERVER.fullmatch(word)) + rest
    return kept if kept.strip() else ""
