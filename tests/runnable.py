"""A witness of the limit taken literally: it counts the agents that *can run*, from /proc alone.

It looks at what the kernel lets a process do, not at what the process did. Agents that write time stamps while they run
would prove less on a busy machine: an agent that could run and got no CPU leaves the same gap as one that was frozen,
so that the busier the machine is, the less would be seen. A look at /proc is slow on a busy machine, but never wrong:

- A process is *held* if it is stopped, or frozen by its cgroup or one above, or if a SIGSTOP is on its way to it.
- An agent is *blocked* if a client that waits is in its tree and no other process of the tree wants the CPU.
- An agent *can run* if a process of it exists that is neither held nor blocked.

An excess counts only if it lasts: it is seen in two looks, by the same processes of each agent, and between them the
daemon has answered requests, so that it has dealt with everything that had happened before the first look. Within such
a window no agent can have waited and come back: that would have added CPU time of an ended child to the process that
was seen. An agent that goes on beside a client that waits is known only by its use of the CPU; such an agent counts in
full once it has gone on for `BESIDE` seconds with `SHARE` of a CPU, however little CPU a busy machine gives to each.
While the daemon is dead nothing is judged.

It imports nothing of what it watches.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from tests.witness import Attempt, Process, is_wait, read

BESIDE = 2.0 + 3.0  # seconds: within the first the daemon notices it; a busy machine may take the others
SHARE = 0.1
PAUSE = 0.01
_SIGSTOP = 1 << 18  # in the masks of /proc/PID/status
_USED, _REAPED = slice(11, 13), slice(13, 15)  # CPU time, of itself and of ended children, in /proc/PID/stat
_TICKS = os.sysconf("SC_CLK_TCK")


class Sight(NamedTuple):
    """The state of one process in one look."""

    parent: int
    is_ready: bool  # it uses the CPU, or waits for one
    is_held: bool
    is_client: bool
    reaped: tuple[bytes, ...]
    cpu: float


@dataclass
class Seen:
    """The state of one attempt in one look, without its shim: that only waits for its agent."""

    processes: dict[Process, Sight] = field(default_factory=dict)

    @property
    def waits(self) -> bool:
        """Whether a client that waits is in the tree; a client that is stopped waits too."""
        return any(sight.is_client for sight in self.processes.values())

    @property
    def cpu(self) -> float:
        """Seconds of CPU that its processes have used."""
        return sum(sight.cpu for sight in self.processes.values())


class Runnable:
    """Looks again and again in a thread of its own until it is closed.

    `ping` returns when the daemon has answered requests that were sent after the call; False when no daemon answers.
    """

    def __init__(self, home: Path, ping: Callable[[], bool], *, limit: int) -> None:
        self._home = str(home).encode()
        self._ping = ping
        self._limit = limit
        self._closing = threading.Event()
        self._judged = threading.Condition()
        self._mount = _cgroup_mount()
        self._beside: dict[Attempt, tuple[float, float]] = {}  # since when, and the CPU time then
        self.windows = 0
        self.peak = 0  # the most agents that could run in one window, those beside a wait included
        self.violations: list[str] = []
        self._thread = threading.Thread(target=self._watch, name="runnable")
        self._thread.start()

    def next_window(self, timeout: float = 60.0) -> None:
        """Return when another window has been judged that began after this call."""
        with self._judged:
            target = self.windows + 2
            assert self._judged.wait_for(lambda: self.windows >= target, timeout), "the witness has fallen asleep"

    def close(self) -> None:
        """Look no more."""
        self._closing.set()
        self._thread.join()

    def _watch(self) -> None:
        before: dict[Attempt, Seen] = {}
        while not self._closing.wait(PAUSE):
            is_answered = self._ping()
            after = self._look()
            with self._judged:
                if is_answered:
                    self._judge(before, after)
                self.windows += 1
                self._judged.notify_all()
            before = after

    def _judge(self, before: dict[Attempt, Seen], after: dict[Attempt, Seen]) -> None:
        now = time.monotonic()
        both = {key: (before[key], sight) for key, sight in after.items() if key in before}
        free = {key for key, pair in both.items() if not (pair[0].waits or pair[1].waits) and _goes_on(*pair)}
        beside = {key for key, pair in both.items() if key not in free and _goes_on(*pair, only_busy=True)}
        self._beside = {key: self._beside.get(key, (now, after[key].cpu)) for key in beside}
        late = {
            key
            for key, (since, cpu) in self._beside.items()
            if now - since > BESIDE and after[key].cpu - cpu > SHARE * (now - since)
        }
        self.peak = max(self.peak, len(free | beside))
        if len(free | late) > self._limit:
            words = [f"{key[0]}.{key[1]}{' beside its wait' * (key in late)}" for key in free | late]
            violation = f"{len(words)} can run where {self._limit} may: {sorted(words)}"
            if violation not in self.violations:
                self.violations.append(violation)

    def _look(self) -> dict[Attempt, Seen]:
        attempts: dict[Attempt, Seen] = {}
        frozen: dict[bytes, bool] = {}
        for name in os.listdir("/proc"):
            if name.isdigit():
                self._add(attempts, frozen, int(name))
        return attempts

    def _add(self, attempts: dict[Attempt, Seen], frozen: dict[bytes, bool], pid: int) -> None:
        environment = read(f"/proc/{pid}/environ")
        if b"ORCHD_AGENT=" not in environment:
            return
        marks = dict(pair.partition(b"=")[::2] for pair in environment.split(b"\0"))
        words = read(f"/proc/{pid}/cmdline").split(b"\0")
        fields = read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
        if marks.get(b"ORCHD_HOME") != self._home or not fields or fields[0] in b"ZX":
            return
        attempt = (marks[b"ORCHD_AGENT"].decode(), marks.get(b"ORCHD_ATTEMPT", b"").decode())
        if f"orchd-{attempt[0]}.{attempt[1]}".encode() in words[:4]:
            return
        is_held = fields[0] in b"Tt" or self._is_frozen(pid, frozen) or _is_stopping(pid)
        used = sum(map(int, fields[_USED])) / _TICKS
        sight = Sight(int(fields[1]), fields[0] == b"R", is_held, is_wait(words), tuple(fields[_REAPED]), used)
        attempts.setdefault(attempt, Seen()).processes[Process(pid, fields[19].decode())] = sight

    def _is_frozen(self, pid: int, known: dict[bytes, bool]) -> bool:
        lines = read(f"/proc/{pid}/cgroup").splitlines()
        path = next((line[3:] for line in lines if line.startswith(b"0::")), b"/")
        if path not in known:
            levels = [Path(os.fsdecode(path)), *Path(os.fsdecode(path)).parents]
            known[path] = any(read(f"{self._mount}{level}/cgroup.freeze").strip() == b"1" for level in levels)
        return known[path]


def _goes_on(before: Seen, after: Seen, *, only_busy: bool = False) -> bool:
    """Whether a process could run all the while between two looks."""
    for process, then in before.processes.items():
        now = after.processes.get(process)
        if now is None or then.is_held or now.is_held or then.is_client or now.is_client or then.reaped != now.reaped:
            continue
        if not only_busy or (then.is_ready and now.is_ready):
            return True
    return False


def _is_stopping(pid: int) -> bool:
    """Whether a SIGSTOP is on its way: before the process stops it runs no more of its program."""
    lines = read(f"/proc/{pid}/status").splitlines()
    masks = [int(line.split()[1], 16) for line in lines if line.startswith((b"SigPnd:", b"ShdPnd:"))]
    return any(mask & _SIGSTOP for mask in masks)


def _cgroup_mount() -> str:
    mounts = read("/proc/self/mountinfo").decode().splitlines()
    return next((line.split()[4] for line in mounts if " - cgroup2 " in line), "/nowhere")
