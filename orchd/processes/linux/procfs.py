"""What /proc says about processes: who they are, whose they are, who is below whom."""

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
    """One line of /proc/PID/stat, as far as it matters. `started` tells two blockers of one pid apart."""

    pid: int
    parent: int
    session: int
    started: float  # seconds after boot
    is_zombie: bool
    is_leaving: bool = False  # still there, but without its memory, and so without its marks
    state: bytes = b"S"

    @property
    def is_stopped(self) -> bool:
        """Whether SIGSTOP or the like stopped it."""
        return self.state == b"T"

    @property
    def is_busy(self) -> bool:
        """Whether it runs, or would as soon as a processor or a disk lets it."""
        return self.state in (b"R", b"D")


def read_process(pid: int) -> Process | None:
    """The process that has this pid now."""
    try:
        stat = (PROC / str(pid) / "stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat[stat.rindex(b")") + 2 :].split()  # the name in brackets may hold anything (proc(5))
    started, is_leaving = int(fields[19]) / _TICKS, bool(int(fields[6]) & _EXITING)
    is_zombie = fields[0] in b"ZX" and int(fields[17]) <= 1  # a first thread that has ended is Z beside living threads
    return Process(pid, int(fields[1]), int(fields[3]), started, is_zombie, is_leaving, fields[0])


def cpu_seconds(pid: int) -> float:
    """CPU time of a process and of all that it waited for; 0 when it has ended."""
    try:
        stat = (PROC / str(pid) / "stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return sum(map(int, stat[stat.rindex(b")") + 2 :].split()[11:15])) / _TICKS


def delay_seconds(pid: int) -> float:
    """Time for which the first thread of a process was ready to run and waited for a CPU; 0 when it has ended, and on
    kernels that do not count it."""
    try:
        return int((PROC / str(pid) / "schedstat").read_bytes().split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0


def load_of(pid: int) -> float:
    """Seconds for which the first thread of a process ran, or was ready to run and waited for a CPU; 0 when it has
    ended."""
    try:
        ran, waited = (PROC / str(pid) / "schedstat").read_bytes().split()[:2]
    except (OSError, ValueError):  # ended, or a kernel that does not count it
        return cpu_seconds(pid)
    return (int(ran) + int(waited)) / 1e9


def name_of(pid: int) -> str:
    """The name of the program that a process runs, in printable characters; `?` when it has ended."""
    try:
        name = (PROC / str(pid) / "comm").read_bytes().rstrip(b"\n").decode(errors="replace")
    except OSError:
        return "?"
    return "".join(letter if letter.isprintable() else "?" for letter in name)


def all_processes() -> dict[int, Process]:
    """All processes that are not zombies, by pid."""
    processes = (read_process(int(name)) for name in os.listdir(PROC) if name.isdigit())  # noqa: PTH208 - twice as fast
    return {process.pid: process for process in processes if process is not None and not process.is_zombie}


def environment_markers(pid: int) -> dict[str, str]:
    """The variables by which a process shows whose it is; empty for one that cannot be read."""
    wanted = (ENV_HOME, ENV_AGENT, ENV_ATTEMPT)
    try:
        pairs = (PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return {}
    variables = (os.fsdecode(pair).partition("=") for pair in pairs if pair.startswith(b"ORCHD_"))
    return {name: value for name, _, value in variables if name in wanted}


def below(roots: Iterable[int], processes: dict[int, Process]) -> Iterator[int]:
    """All descendants of `roots` among `processes`, without the roots."""
    children: dict[int, list[int]] = {}
    for process in processes.values():
        children.setdefault(process.parent, []).append(process.pid)
    frontier = [child for root in roots for child in children.get(root, ())]
    while frontier:
        pid = frontier.pop()
        yield pid
        frontier.extend(children.get(pid, ()))


def own_children() -> list[int] | None:
    """The pids of our children, oldest first: those we made, and orphans that came to us as their subreaper.

    All of them are children of our first thread: it starts the shims, and the kernel gives orphans to it. One may be
    missing that is alive, if another of them ended meanwhile (proc(5)). None when this kernel does not tell.
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
    """Kept open: to open it takes several times as long as to read it."""
    return os.open(PROC / f"{pid}/task/{pid}/children", os.O_RDONLY | os.O_CLOEXEC)


def is_reaper() -> bool:
    """Whether orphans below us come to us."""
    return _is_reaper(os.getpid())


@cache
def _is_reaper(_: int) -> bool:
    answer = ctypes.c_int()
    return ctypes.CDLL(None).prctl(_PR_GET_CHILD_SUBREAPER, ctypes.byref(answer), 0, 0, 0) == 0 and bool(answer.value)


def children_of(pid: int) -> list[int] | None:
    """The pids of the children of all threads of a process; empty when it has ended, None as for `own_children`."""
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
    """The processes with these pids and all their descendants, without a look at every process; no zombies, and nothing
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
    """Signal exactly this process, or nobody: a pid may have passed on to another since we looked."""
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
