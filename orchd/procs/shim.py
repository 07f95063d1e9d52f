"""The shim: the small shell above each attempt that outlives the daemon and writes down how the attempt ended.

It holds descriptors that are closed for the agent itself: 3 is the gate (a pipe that says `go`, or ends), 4 the exit
record, whose lock says that it lives, 5 the cgroup that it moves into, if there is one. Signals to its group end the
agent and not the record; one that comes before there is an agent is heeded instead of it. `times` gives the CPU time of
all that the agent waited for, so that it is known even when the daemon was away. The record begins with a line of the
daemon's, the boot that it was made in, so that it has its block on the disk before the disk may be full.
"""

from __future__ import annotations

import re
from typing import NamedTuple

GATE, RECORD, CGROUP = 3, 4, 5
SHELL = "/bin/sh"
_HEED = "_orchd_stop=; trap '_orchd_stop=1' TERM INT HUP QUIT\n"
_ENTER = "echo 0 >&5 && exec 5>&- || { echo cgroup >&4; exit 0; }\n"
_RUN = """\
read -r go <&3 || { echo gate >&4; exit 0; }
if [ "$_orchd_stop" ]; then (exit 143); else "$@" 3<&- 4>&-; fi
{ echo $?; times; } >&4
"""
SCRIPT = _HEED + _RUN
SCRIPT_IN_CGROUP = _HEED + _ENTER + _RUN
GO = b"go\n"


class Record(NamedTuple):
    """What the exit record says. `code` is None when nobody could write it: the shim itself was killed."""

    ran: bool
    code: int | None
    cpu_seconds: float
    was_shut_out: bool = False  # of its cgroup, and so it never ran


def parse_record(text: str) -> Record:
    """Read an exit record: the boot, then why it did not run (`gate`, `cgroup`), or the exit code and two lines of
    `times` (POSIX: the shell's, its children's)."""
    lines = text.partition("\n")[2].split("\n")
    if lines[0] in ("gate", "cgroup"):
        return Record(ran=False, code=None, cpu_seconds=0.0, was_shut_out=lines[0] == "cgroup")
    if not re.fullmatch(r"[0-9]{1,3}", lines[0]) or len(lines) == 1:  # a line without its end may lack more than that
        return Record(ran=True, code=None, cpu_seconds=0.0)
    children = lines[2] if len(lines) > 2 else ""  # noqa: PLR2004 - the third line of the format above
    return Record(ran=True, code=int(lines[0]), cpu_seconds=_seconds(children))


def _seconds(line: str) -> float:
    """The sum of times written as `1m2.500000s`; some locales write a comma."""
    found = re.findall(r"([0-9]{1,9})m([0-9]{1,9}(?:[.,][0-9]{1,9})?)s", line)
    return sum(60 * int(minutes) + float(seconds.replace(",", ".")) for minutes, seconds in found)
