"""The shim: the small shell above attempts that outlives the daemon and writes down how each of them ended.

It holds descriptors that are closed for the agents themselves: 3 is the gate, 4 the exit record, whose lock says that
it lives, 5 the cgroup that it moves into, if there is one. A line comes through the gate for each attempt that it is to
serve, and an empty one goes back when that has ended; when the gate ends, so does the shim. The line is what it does
before the attempt: nothing for the one that it was made for, and for another whatever makes it ready for that
(orchd/procs/successors.py).

Signals to its group end the agent and not the record; one that comes before there is an agent is heeded instead of it,
and a shim that has heard one serves nobody else. `times` gives the CPU time of all that its agents waited for, so that
it is known even when the daemon was away. The record begins with a line of the daemon's, the boot that it was made in,
so that it has its block on the disk before the disk may be full; it never grows beyond that.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from orchd.wire import ENV_AGENT, ENV_ATTEMPT

GATE, RECORD, CGROUP = 3, 4, 5
SHELL = "/bin/sh"
_HEED = "_orchd_stop=; trap '_orchd_stop=1' TERM INT HUP QUIT\n"
# from its own name and not its environment, which is what it shows of itself as long as it lives
_TELL = f"""\
_orchd_name=${{0#orchd-}}
export {ENV_AGENT}="${{_orchd_name%.*}}" {ENV_ATTEMPT}="${{_orchd_name##*.}}"
"""
_ENTER = "echo 0 >&5 && exec 5>&- || { echo cgroup >&4; exit 0; }\n"
_SERVE = """\
while read -r _orchd_line <&3 && eval "$_orchd_line"; do
if [ "$_orchd_stop" ]; then (exit 143); else "$@" 3<&- 4>&-; fi
{ echo "$_orchd_name $?"; times; } >&4
[ "$_orchd_stop" ] && exit 0
echo >&3
done
echo gate >&4
"""
SCRIPT = _HEED + _TELL + _SERVE
SCRIPT_IN_CGROUP = _HEED + _TELL + _ENTER + _SERVE
GO = b":\n"
SERVED = b"\n"
_SHUT_OUT, _NEVER = "cgroup", "gate"


class Record(NamedTuple):
    """What the exit record says of an attempt. `code` is None when nobody could write it: the shim itself was killed.
    Times are CPU seconds, `before` those of all that its shim served before it."""

    ran: bool
    code: int | None
    cpu_seconds: float
    before: float = 0.0
    was_shut_out: bool = False  # of its cgroup, and so it never ran


def parse_record(text: str, name: str) -> Record:
    """Read what an exit record says of the attempt `name`.

    After the boot there are three lines for each attempt: its name and exit code, and two of `times` (POSIX: the
    shell's, its children's, both since it began). At the end may stand why another one did not run: `gate`, `cgroup`.
    """
    lines = text.partition("\n")[2].split("\n")
    before = 0.0
    for number, line in enumerate(lines[:-1]):  # a line without its end may lack more than that
        if line in (_SHUT_OUT, _NEVER):
            return Record(ran=False, code=None, cpu_seconds=0.0, before=before, was_shut_out=line == _SHUT_OUT)
        if (ended := re.fullmatch(r"([a-z]+-[0-9]{1,9}\.[0-9]{1,9}) ([0-9]{1,3})", line)) is None:
            continue
        spent = _seconds(lines[number + 2]) if len(lines) > number + 2 else 0.0
        if ended[1] == name:
            return Record(ran=True, code=int(ended[2]), cpu_seconds=round(max(spent - before, 0.0), 6), before=before)
        before = max(spent, before)
    return Record(ran=True, code=None, cpu_seconds=0.0, before=before)


def _seconds(line: str) -> float:
    """The sum of times written as `1m2.500000s`; some locales write a comma."""
    found = re.findall(r"([0-9]{1,9})m([0-9]{1,9}(?:[.,][0-9]{1,9})?)s", line)
    return sum(60 * int(minutes) + float(seconds.replace(",", ".")) for minutes, seconds in found)
