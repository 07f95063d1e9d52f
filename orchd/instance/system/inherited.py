"""Variables that lead to descriptors, or to a service manager, that only the process has to which they were given."""

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
    """These variables as a process can have them to which no descriptors are passed on."""
    kept = {name: value for name, value in variables.items() if name not in _OF_THIS_PROCESS}
    for name in _FLAGS & kept.keys():
        if flags := without_jobserver(kept[name]):
            kept[name] = flags
        else:
            del kept[name]
    return kept


def without_jobserver(flags: str) -> str:
    """Flags of make(1) without the descriptors of a jobserver, and without a `-j` that means as many jobs as it
    gives; as they are when they name none. Assignments of variables, after `--`, are no flags."""
    end = _END.search(flags)
    own, rest = (flags, "") if end is None else (flags[: end.start()], flags[end.start() :])
    words = own.split(" ")
    if not any(map(_JOBSERVER.fullmatch, words)):
        return flags
    kept = " ".join(word for word in words if word != "-j" and not _JOBSERVER.fullmatch(word)) + rest
    return kept if kept.strip() else ""
