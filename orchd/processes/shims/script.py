"""The shim: a small shell above attempts that outlives the daemon and records how each of them ended.

It holds descriptors that are closed for the agents themselves: 3 is the gate, 4 the exit record, whose lock says that
it lives, 5 the cgroup that it moves into, if there is one. A line comes through the gate for each attempt that it is to
serve, and an empty one goes back when that has ended; when the gate ends, so does the shim. The line is what it does
before the attempt: nothing for the first attempt; for another `next` with its name, and what prepares it
(orchd/processes/shims/shim.py). It is short, since a shell reads it one byte at a time.

No variable of an agent is a variable of this shell. A subshell of it enters the agent's working directory, takes over
the agent's variables and becomes the agent: `$_orchd_begin`, of orchd/processes/launching/handover.py.

Signals to its group end the agent and not the record; a signal that comes before the agent keeps it from starting,
and a shim that received a signal serves no other attempt. `times` gives the CPU time of all that its agents waited for,
so that it is known even when the daemon was away. The record begins with a line of the daemon: its version and the boot
of its creation. So it has its block on the disk before the disk may be full; it never grows beyond that.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from orchd.instance.environment import ENV_AGENT, ENV_ATTEMPT

GATE, RECORD, CGROUP = 3, 4, 5
SHELL = "/bin/sh"
_HEED = "_orchd_stop=; trap '_orchd_stop=1' TERM INT HUP QUIT\n"
# ORCHD_AGENT does not come from the environment, which a process shows unchanged as long as it lives. A shim that may
# serve other attempts has a neutral name and no words of an agent either: ps shows both
_TELL = f"""\
_orchd_is() {{ _orchd_name=$1; export {ENV_AGENT}="${{1%.*}}" {ENV_ATTEMPT}="${{1##*.}}"; }}
if [ "${{_orchd_first-}}" ]; then
_orchd_is "$_orchd_first"; eval "set -- $_orchd_words"; unset _orchd_first _orchd_words
else _orchd_is "${{0#orchd-}}"; fi
next() {{ _orchd_is "$1"; _orchd_stop=; command exec >>"$_orchd_logs/$1.log" 2>&1 </dev/null; }}
"""
_ENTER = "echo 0 >&5 && exec 5>&- || { echo cgroup >&4; exit 0; }\n"
_SERVE = """\
while read -r _orchd_line <&3 && eval "$_orchd_line"; do
if [ "$_orchd_stop" ]; then (exit 143); else (
cd -P -- "$_orchd_cwd" || { echo "$_orchd_name directory" >&4; exit 126; }
exec 3<&- 4>&-; eval "$_orchd_begin"); fi
{ echo "$_orchd_name $?"; times; } >&4
[ "$_orchd_stop" ] && exit 0
echo >&3
done
echo gate >&4
"""
SCRIPT = f"{_HEED}{_TELL}{_SERVE}"
SCRIPT_IN_CGROUP = f"{_HEED}{_TELL}{_ENTER}{_SERVE}"
"""What the shell is to do: to be run as `LABEL` with the attempt's name and words in `_orchd_first` and `_orchd_words`
(handover.py), or with `orchd-` and the attempt's name as its own name, and that attempt's words."""
LABEL = "orchd-shim"
GO = b":\n"
SERVED = b"\n"
_SHUT_OUT, _NEVER, _NO_DIRECTORY = "cgroup", "gate", "directory"
VERSION = 3  # of what follows the first line; the first line of versions 1 and 2 is the boot alone
_HEADER = "exit-record"


class ExitRecord(NamedTuple):
    """What the exit record says of an attempt. `code` is None when the shim itself was killed.
    Times are CPU seconds, `before` the seconds of all earlier attempts of the shim."""

    ran: bool
    code: int | None
    cpu_seconds: float
    before: float = 0.0
    was_shut_out: bool = False  # of its cgroup, and so it never ran
    note: str | None = None  # what the exit code does not tell


def header(boot: bytes) -> bytes:
    """Return the first line of a new record."""
    return b"%s %d %s\n" % (_HEADER.encode(), VERSION, boot)


def boot_of(text: str) -> str:
    """Return the boot in which a record was made."""
    return text.partition("\n")[0].rpartition(" ")[2]


def parse_record(text: str, name: str) -> ExitRecord:
    """Read what an exit record of any version says of the attempt `name`.

    After the first line there are three lines for each attempt: its name and exit code, and two of `times` (POSIX: the
    shell's, its children's, both since it began). Before them may stand its name and `directory`: it could not enter
    that. At the end may stand why another attempt did not run: `gate`, `cgroup`.
    """
    first, _, rest = text.partition("\n")
    named = re.fullmatch(rf"{_HEADER} ([0-9]{{1,9}}) .*", first)
    # version 1 was of one attempt, and said its code without its name
    version = int(named[1]) if named else 1 if re.match(r"[0-9]{1,3}\n", rest) else 2
    if version > VERSION:
        newer = f"its exit record has version {version}, and this orchd knows {VERSION}: upgrade orchd"
        return ExitRecord(ran=True, code=None, cpu_seconds=0.0, note=newer)
    whole = f"{first}\n{name} {rest}" if version == 1 else text
    whole = whole[: whole.rfind("\n") + 1]  # a line without its end may lack more than that
    refused = f"\n{name} {_NO_DIRECTORY}\n"
    note = "its working directory could not be entered when it was about to start" if refused in whole else None
    earlier, has_entry, entry = whole.replace(refused, "\n").partition(f"\n{name} ")
    if not has_entry:
        earlier, last = _without_last(whole)
        if last not in (_SHUT_OUT, _NEVER):
            return ExitRecord(ran=True, code=None, cpu_seconds=0.0, before=_seconds(last))
        before = _seconds(_without_last(earlier)[1])
        return ExitRecord(ran=False, code=None, cpu_seconds=0.0, before=before, was_shut_out=last == _SHUT_OUT)
    before = _seconds(_without_last(f"{earlier}\n")[1])
    code, _, children, *_ = [*entry.split("\n", 3), "", ""]
    spent = round(max(_seconds(children) - before, 0.0), 6)
    known = int(code) if re.fullmatch("[0-9]{1,3}", code) else None
    return ExitRecord(ran=True, code=known, cpu_seconds=spent, before=before, note=note)


def _without_last(lines: str) -> tuple[str, str]:
    """Return the text without its last line, and that line."""
    earlier, _, last = lines[:-1].rpartition("\n")
    return f"{earlier}\n", last


def _seconds(line: str) -> float:
    """Return the sum of times written as `1m2.500000s`; 0 without any. Some locales write a comma."""
    times = re.findall(r"([0-9]{1,9})m([0-9]{1,9}(?:[.,][0-9]{1,9})?)s", line)
    return sum(60 * int(minutes) + float(seconds.replace(",", ".")) for minutes, seconds in times)
