"""Reads processes from /proc: their state, their markers and their descendants; sends signals."""

from __future__ import annotations

import ctypes
import errno
import os
import signal
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from orchd.instance.environment import ENV_AGENT, ENV_ATTEMPT, ENV_HOME

PROC = Path("/proc")
SHORTAGE = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})  # the machine's fault: nothing is known by it
BOOT = (PROC / "sys/kernel/random/boot_id").read_bytes().strip()
_TICKS = os.sysconf("SC_CLK_TCK")
_PIECE = 65536
_PR_GET_CHILD_SUBREAPER = 37
_EXITING = 0x4  # PF_EXITING of linux/sched.h


class Process(NamedTuple):
    """The fields of /proc/PID/stat that matter here. `started` distinguishes two processes with the same pid."""

    pid: int
    parent: int
    session: int
    started: float  # seconds after boot
    is_zombie: bool
    is_leaving: bool = False  # still there, but without its memory, and so without its marks
    state: bytes = b"S"

    @property
    def is_stopped(self) -> bool:
        """Return whether SIGSTOP or the like stopped it."""
        return self.state == b"T"

    @property
    def is_busy(self) -> bool:
        """Return whether it runs, or would as soon as a processor or a disk lets it."""
        return self.state in (b"R", b"D")


def read_process(pid: int) -> Process | None:
    """Return the process that has this pid now; None without one."""
    try:
        stat = (PROC / str(pid) / "stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat[stat.rindex(b")") + 2 :].split()  # the name in brackets may hold anything (proc(5))
    started, is_leaving = int(fields[19]) / _TICKS, bool(int(fields[6]) & _EXITING)
    is_zombie = fields[0] in b"ZX" and int(fields[17]) <= 1  # a first thread that has ended is Z beside living threads
    return Process(pid, int(fields[1]), int(fields[3]), started, is_zombie, is_leaving, fields[0])


def cpu_seconds(pid: int) -> float:
    """Return CPU seconds of a process and of the children that it waited for; 0 when it has ended."""
    try:
        stat = (PROC / str(pid) / "stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return sum(map(int, stat[stat.rindex(b")") + 2 :].split()[11:15])) / _TICKS


def delay_seconds(pid: int) -> float:
    """Return seconds for which the first thread of a process waited for a CPU; 0 when it has ended, and on kernels that
    do not count it."""
    try:
        return int((PROC / str(pid) / "schedstat").read_bytes().split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0


def load_of(pid: int) -> float:
    """Return seconds for which the first thread of a process ran or waited for a CPU; 0 when it has ended."""
    try:
        ran, waited = (PROC / str(pid) / "schedstat").read_bytes().split()[:2]
    except (OSError, ValueError):  # ended, or a kernel that does not count it
        return cpu_seconds(pid)
    return (int(ran) + int(waited)) / 1e9


def name_of(pid: int) -> str:
    """Return the name of the program of a process, in printable characters; `?` when it has ended."""
    try:
        name = (PROC / str(pid) / "comm").read_bytes().rstrip(b"\n").decode(errors="replace")
    except OSError:
        return "?"
    return "".join(letter if letter.isprintable() else "?" for letter in name)


def all_processes() -> dict[int, Process]:
    """Return all processes that are not zombies, by pid."""
    processes = (read_process(int(name)) for name in os.listdir(PROC) if name.isdigit())  # noqa: PTH208 - twice as fast
    return {process.pid: process for process in processes if process is not None and not process.is_zombie}


def environment_markers(pid: int) -> dict[str, str]:
    """Return the markers in the environment of a process; empty when it cannot be read."""
    wanted = (ENV_HOME, ENV_AGENT, ENV_ATTEMPT)
    try:
        pairs = (PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return {}
    variables = (os.fsdecode(pair).partition("=") for pair in pairs if pair.startswith(b"ORCHD_"))
    return {name: value for name, _, value in variables if name in wanted}


def below(roots: Iterable[int], processes: dict[int, Process]) -> Iterator[int]:
    """Return the pids of all descendants of `roots` among `processes`, without the roots."""
    children: dict[int, list[int]] = {}
    for process in processes.values():
        children.setdefault(process.parent, []).append(process.pid)
    frontier = [child for root in roots for child in children.get(root, ())]
    while frontier:
        pid = frontier.pop()
        yield pid
        frontier.extend(children.get(pid, ()))


def own_children() -> list[int] | None:
    """Return the pids of our children, oldest first: started here, or orphans that came to us as their subreaper.

    All of them are children of our first thread: it starts the shims, and the kernel gives orphans to it. A live child
    may be missing, if another child ended meanwhile (proc(5)). None when this kernel does not report them.
    """
    try:
        descriptor = _children_file(os.getpid())
    except FileNotFoundError:  # CONFIG_PROC_CHILDREN was left out
        return None
    text = b""
    while chunk := os.pread(descriptor, _PIECE, len(text)):
        text += chunk
    return list(map(int, text.split()))


@cache
def _children_file(pid: int) -> int:
    """Return the descriptor of our `children` file, kept open: opening takes several times as long as reading."""
    return os.open(PROC / f"{pid}/task/{pid}/children", os.O_RDONLY | os.O_CLOEXEC)


def is_reaper() -> bool:
    """Return whether this process is a subreaper."""
    return _is_reaper(os.getpid())


@cache
def _is_reaper(_: int) -> bool:
    answer = ctypes.c_int()
    return ctypes.CDLL(None).prctl(_PR_GET_CHILD_SUBREAPER, ctypes.byref(answer), 0, 0, 0) == 0 and bool(answer.value)


def children_of(pid: int) -> list[int] | None:
    """Return the pids of the children of all threads; empty when the process has ended, None as in `own_children`."""
    pids: list[int] = []
    tasks = PROC / str(pid) / "task"
    try:
        threads = os.listdir(tasks)  # noqa: PTH208 - twice as fast
    except (FileNotFoundError, ProcessLookupError):
        return pids
    for thread in threads:
        try:
            pids.extend(map(int, (tasks / thread / "children").read_bytes().split()))
        except ProcessLookupError:
            continue
        except FileNotFoundError:
            if (tasks / thread).exists():  # a thread that has not just ended: the kernel has no such file
                return None
    return pids


def below_now(roots: Iterable[int]) -> dict[int, Process]:
    """Return the processes with these pids and their descendants, without a scan of all processes; no zombies, and none
    below ourselves: a daemon that was started by an agent is not of its tree."""
    processes: dict[int, Process] = {}
    seen = {0, os.getpid()}
    frontier = [pid for pid in dict.fromkeys(roots) if pid not in seen]
    seen.update(frontier)
    while frontier:
        pid = frontier.pop(0)
        process = read_process(pid)
        if process is None:
            continue
        if not process.is_zombie:
            processes[pid] = process
        new = [child for child in children_of(pid) or () if child not in seen]
        seen.update(new)
        frontier.extend(new)
    return processes


def send(process: Process, number: signal.Signals) -> None:
    """Send a signal to exactly this process, or to none: its pid may have passed on to another."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return
    try:
        now = read_process(process.pid)
        if now is not None and now.started == process.started:
            signal.pidfd_send_signal(descriptor, number)
    except (ProcessLookupError, PermissionError):
        pass  # it ended meanwhile, or it became another user's and is beyond us
    finally:
        os.close(descriptor)
