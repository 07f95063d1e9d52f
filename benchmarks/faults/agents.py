"""Agents that behave badly: crowds, agents that ignore signals, write into all their files, or kill their shim."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from benchmarks.faults.killing import BRIEF
from benchmarks.faults.lab import Lab, until
from benchmarks.faults.tally import Tally

_TRAPS = "trap '' TERM INT HUP QUIT USR1 USR2 PIPE ALRM"
_CROWD = f"{_TRAPS}; i=0; while [ $i -lt 500 ]; do setsid sleep 1000 & i=$((i+1)); done"
# writes a lie to whatever it has, then has nothing
_CLOSER = f"""{sys.executable} -S -c '
import os
lie = b"\\n%s.1 0\\n" % os.environb[b"ORCHD_AGENT"]
for one in range(3, 64):
    try: os.write(one, lie)
    except OSError: pass
os.closerange(0, 4096)
if os.fork() == 0:
    os.setsid()
    os.execv("/bin/sleep", ["sleep", "1000"])
'"""
_MODES = ("off", "auto")


def _misbehaving(tally: Tally, work: str, code: int, expected: int | str, *, cancels: bool = False) -> Iterator[None]:
    """Run three agents of this kind at once and a usual agent after them, with cgroups and without."""
    while True:
        for cgroups in _MODES:
            with Lab(tally, f'limit = 3\ngrace = 0.2\ncgroups = "{cgroups}"\n') as lab:
                lab.start()
                lab.watch(3, 12)
                ids = lab.spawn([lab.spec(work, code)] * 3)
                after = lab.spawn([lab.spec(BRIEF, 4)])
                if cancels:
                    until(lambda lab=lab, ids=ids: all(lab.signed("begin")[agent_id] for agent_id in ids), "the agents")
                    lab.client.call("cancel", {"ids": ids})
                lab.audit(dict.fromkeys(ids, expected) | dict.fromkeys(after, 4))
            yield


def crowds(tally: Tally) -> Iterator[None]:
    """Each agent leaves 500 processes behind, in sessions of their own, that ignore every signal."""
    return _misbehaving(tally, _CROWD, 0, 0)


def deaf(tally: Tally) -> Iterator[None]:
    """Each agent ignores every signal that can be ignored, and is cancelled."""
    return _misbehaving(tally, f"{_TRAPS}; while :; do sleep 1000; done", 0, "cancelled", cancels=True)


def closers(tally: Tally) -> Iterator[None]:
    """Each agent writes a forged end into every file it has open, closes all, leaves a child, and fails."""
    return _misbehaving(tally, _CLOSER, 9, 9)


def shim_killers(tally: Tally) -> Iterator[None]:
    """Each agent kills the shim above it and works on."""
    return _misbehaving(tally, f"kill -9 $PPID; {_TRAPS}; while :; do sleep 1000; done", 0, "lost")
