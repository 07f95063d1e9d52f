"""The shim: the small shell above each attempt that outlives the daemon and writes down how the attempt ended.

It holds three descriptors, closed for the agent itself: 3 is the gate (a pipe that says `go`, or ends), 4 the exit
record, 5 the lock that says it lives. Signals to its group end the agent and not the record. `times` gives the CPU time
of all that the agent waited for, so that it is known even when the daemon was away.
"""

from __future__ import annotations

import re
from typing import NamedTuple

GATE, RECORD, LOCK = 3, 4, 5
SHELL = "/bin/sh"
SCRIPT = """\
trap : TERM INT HUP QUIT
read -r go <&3 || { echo gate >&4; exit 0; }
"$@" 3<&- 4>&- 5>&-
{ echo $?; times; } >&4
"""
GO = b"go\n"
RESERVED = b"\n"  # begins the record, so that it has its block on the disk before the disk may be full


class Record(NamedTuple):
    """What the exit record says. `code` is None when nobody could write it: the shim itself was killed."""

    ran: bool
    code: int | None
    cpu_seconds: float


def parse_record(text: str) -> Record:
    """Read an exit record: `gate`, or the exit code and two lines of `times` (POSIX: shell, then children)."""
    lines = text.lstrip("\n").split("\n")
    if lines[0] == "gate":
        return Record(ran=False, code=None, cpu_seconds=0.0)
    if not re.fullmatch(r"[0-9]{1,3}", lines[0]) or len(lines) == 1:  # a line without its end may lack more than that
        return Record(ran=True, code=None, cpu_seconds=0.0)
    children = lines[2] if len(lines) > 2 else ""  # noqa: PLR2004 - the third line of the format above
    return Record(ran=True, code=int(lines[0]), cpu_seconds=_seconds(children))


def _seconds(line: str) -> float:
    """The sum of times written as `1m2.500000s`; some locales write a comma."""
    found = re.findall(r"([0-9]+)m([0-9]+(?:[.,][0-9]+)?)s", line)
    return sum(60 * int(minutes) + float(seconds.replace(",", ".")) for minutes, seconds in found)
