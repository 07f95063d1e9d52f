"""Processes that a CLI leaves running when it exits: unfinished work, or a server that was meant to stay.

Every process of an attempt has the attempt's variables in its environment. The daemon kills all of them when the runner
has ended, so work that still runs then is not finished.
"""

from __future__ import annotations

import os
import re
import select
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from orchd.instance import environment

PATIENCE = 2.0  # seconds that processes may take to end by themselves after their CLI
_PROC = Path("/proc")
_MARKS = (environment.ENV_HOME, environment.ENV_AGENT, environment.ENV_ATTEMPT)
_SHELLS = frozenset({"sh", "ash", "bash", "busybox", "dash", "fish", "ksh", "zsh"})
_LISTENS, _ACCEPTS = "0A", 0x10000  # TCP_LISTEN, and __SO_ACCEPTCON of a unix socket
# Programs, or scripts of package managers, that serve or watch until they are ended.
_SERVERS = (
    r"(?:npm|pnpm|yarn|bun|deno)\s+(?:(?:run|task)\s+)?(?:dev|start|serve|preview|watch)\b"
    r"|(?:npx\s+|bunx\s+)?(?:vite(?!st|\s+build)|nodemon|live-server|http-server|serve|webpack-dev-server)\b"
    r"|(?:npx\s+)?(?:next|nuxt|astro|ng|remix|gatsby)\s+(?:dev|develop|start|serve)\b"
    r"|\S*python[\d.]*\s+-m\s+(?:http\.server|uvicorn|gunicorn|flask)\b|\S*python[\d.]*\s+\S*manage\.py\s+runserver\b"
    r"|flask\s+run\b|uvicorn\b|gunicorn\b|hypercorn\b|php\s+(?:artisan\s+serve|-S)\b"
    r"|(?:bin/)?rails\s+(?:s|server)\b|hugo\s+server\b|jekyll\s+serve\b|mkdocs\s+serve\b"
    r"|tail\s+(?:\S+\s+)*?(?:-\w*[fF]\b|--follow)|watch\s|\S*redis-server\b|\S*postgres\b|\S*mongod\b"
    r"|docker\s+compose\s+up\b|docker-compose\s+up\b"
)
_SEPARATORS = r"&&|\|\||[;\n]"
_PREFIX = r"^(?:\s|\(|\w+=\S*\s|(?:nohup|setsid|exec|env|time|nice)\s)*"


class LeftProcess(NamedTuple):
    """A process of the attempt."""

    pid: int
    parent: int
    command: str  # its arguments with spaces between
    is_daemon: bool  # whether it listens on a socket, or is detached and no shell
    is_below: bool  # whether it is a descendant of the CLI: its helpers, which end with it


def is_server(command: str) -> bool:
    """Whether the last command of a shell line serves or watches until it is ended: `npm run dev`, `tail -f log`."""
    parts = [part for part in re.split(_SEPARATORS, command.rstrip(" &\n;")) if part.strip()]
    return bool(parts) and re.match(_SERVERS, re.sub(_PREFIX, "", parts[-1])) is not None


def of_attempt(env: Mapping[str, str], cli: int = 0) -> list[LeftProcess]:
    """List the processes of the attempt that `env` names, except this one, its ancestors and the process `cli`."""
    if not all(env.get(name) for name in _MARKS):
        return []
    marks = {os.fsencode(f"{name}={env[name]}") for name in _MARKS}
    parents: dict[int, int] = {}
    for entry in os.listdir(_PROC):  # noqa: PTH208 - names are enough
        if entry.isdigit():
            with suppress(OSError, ValueError, IndexError):
                stat = (_PROC / entry / "stat").read_bytes()
                parents[int(entry)] = int(stat[stat.rindex(b")") + 2 :].split()[1])
    own = set(_above(os.getpid(), parents))
    inodes = set[str]()
    for name in ("tcp", "tcp6"):
        inodes |= {inode for _, _, _, state, _, _, _, _, _, inode, *_ in _table(name, 10) if state == _LISTENS}
    listening = inodes | {inode for _, _, _, flags, _, _, inode, *_ in _table("unix", 7) if int(flags, 16) & _ACCEPTS}
    members = []
    for pid, parent in parents.items():
        if (
            pid not in own
            and pid != cli
            and marks <= set(_read(pid, "environ"))
            and (command := [*map(os.fsdecode, _read(pid, "cmdline"))])
        ):
            is_below = bool(cli) and cli in _above(pid, parents)
            members.append(LeftProcess(pid, parent, " ".join(command), _is_daemon(pid, command, listening), is_below))
    return members


def still(processes: Iterable[LeftProcess], seconds: float = PATIENCE) -> list[LeftProcess]:
    """Return the processes that have not ended by themselves after so many seconds."""
    poll, waiting = select.poll(), dict[int, LeftProcess]()
    try:
        for member in processes:
            with suppress(OSError):  # it has ended
                descriptor = os.pidfd_open(member.pid)
                waiting[descriptor] = member
                poll.register(descriptor, select.POLLIN)
        until = time.monotonic() + seconds
        running = dict(waiting)
        while running and (left := until - time.monotonic()) > 0:
            for descriptor, _ in poll.poll(left * 1000):
                poll.unregister(descriptor)
                del running[descriptor]
        return list(running.values())
    finally:
        for descriptor in waiting:
            os.close(descriptor)


def serves(command: str, processes: Iterable[LeftProcess]) -> bool:
    """Whether a shell line has started a server, by its words or because a process of it listens."""
    if is_server(command):
        return True
    known = list(processes)
    begun = {member.pid for member in known if command and command in member.command}
    while more := {member.pid for member in known if member.parent in begun} - begun:
        begun |= more
    return any(member.pid in begun and member.is_daemon for member in known)


def trees(processes: Iterable[LeftProcess]) -> Iterator[tuple[str, bool]]:
    """List the command at the root of each tree of these processes, and whether the tree was meant to stay.

    A process that listens makes its whole tree a server: the script that has started it, and its workers.
    """
    known = {member.pid: member for member in processes}
    parents = {member.pid: member.parent for member in known.values()}
    staying: dict[int, bool] = {}
    for member in known.values():
        root = [pid for pid in _above(member.pid, parents) if pid in known][-1]
        staying[root] = staying.get(root, False) or member.is_daemon or is_server(member.command)
    yield from ((known[root].command, is_staying) for root, is_staying in staying.items())


def _above(pid: int, parents: Mapping[int, int]) -> Iterator[int]:
    """List the process and its ancestors."""
    seen = set[int]()
    while pid and pid not in seen:
        seen.add(pid)
        yield pid
        pid = parents.get(pid, 0)


def _read(pid: int, name: str) -> list[bytes]:
    """Read a list of proc(5): `environ` or `cmdline`; it is empty for a process that has ended."""
    try:
        return (_PROC / str(pid) / name).read_bytes().rstrip(b"\0").split(b"\0")
    except OSError:
        return []


def _is_daemon(pid: int, command: list[str], listening: set[str]) -> bool:
    """Whether a process was meant to stay: it listens, or a tool has detached it, like `git maintenance run --detach`.

    A detached process leads a session of its own and has no input or output. A detached shell is an agent's job.
    """
    numbers: list[str] = []
    with suppress(OSError):
        numbers = os.listdir(_PROC / str(pid) / "fd")  # noqa: PTH208 - names are enough
    targets = [_link(pid, number) for number in numbers]
    if any(target.startswith("socket:[") and target[8:-1] in listening for target in targets):
        return True
    is_mute = all(_link(pid, number) == os.devnull for number in "012")
    with suppress(OSError):
        return is_mute and os.getsid(pid) == pid and Path(command[0]).name.lstrip("-") not in _SHELLS
    return False


def _link(pid: int, number: str) -> str:
    try:
        return os.readlink(_PROC / str(pid) / "fd" / number)  # noqa: PTH115 - it may name no path
    except OSError:
        return ""


def _table(name: str, width: int) -> Iterator[list[str]]:
    """List the rows of a table of sockets, proc_net(5), that have at least `width` columns."""
    try:
        lines = (_PROC / "self/net" / name).read_text(errors="replace").splitlines()[1:]
    except OSError:
        return
    yield from (row for line in lines if len(row := line.split()) >= width)
