"""One daemon's life: what must happen in which order before the first request is answered and after the last."""

from __future__ import annotations

import ctypes
import logging
import os
import resource
import shutil
import signal
import socket
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from orchd import config as configuration
from orchd.callers import check_proc
from orchd.core.inputs import Tick
from orchd.core.model import Instant
from orchd.errors import AlreadyRunning
from orchd.keyring import Keyring, server_secret
from orchd.loop import Loop
from orchd.notify import Notifier
from orchd.parts import Door, Parts, assemble
from orchd.ports import Ports
from orchd.remote import Remote
from orchd.store import Store
from orchd.wire import Home, whole
from orchd.wire.services import Service, leave_word
from orchd.wire.sockets import is_listened_to

log = logging.getLogger("orchd")

_PR_SET_CHILD_SUBREAPER = 36  # prctl(2)
# The lock is contended for a moment by whoever only wants to know whether it is held, and for longer by a daemon that
# leaves, or begins: of one that answers nobody the end is awaited, but no longer than clients wait for us.
_LOCK_SECONDS, _LOCK_PATIENCE = 1.0, 20.0
_RECENT = 1_000  # agents that may have ended in the last turn of a daemon that was killed
# How long a commit that has ended may wait to say so while we decide something else.
_SWITCH_SECONDS = 0.0002


def serve(
    home: Home, clock: Callable[[], Instant], notify: Notifier, service: Service | None, ready: Callable[[], None]
) -> None:
    """Run until told to leave. Raises OrchdError or HomeError for what a person must mend first."""
    with ExitStack() as stack:
        stack.callback(notify.close)
        check_proc()
        home.create()
        stack.enter_context(_only_daemon_of(home))
        settings = configuration.read(home.config)
        leave_word(home, service)
        _become_daemon()
        store = Store(home.database)
        stack.callback(store.close)
        wakeup = stack.enter_context(_signals())
        ports = Ports(home)
        stack.callback(ports.close)
        door = _door(home, settings.remote.listen, stack)
        parts = assemble(home, settings, store, ports, door, clock)
        parts.settings.notify = notify
        loop = Loop(parts, wakeup, notify)
        _heed_signals(loop)
        _recover(home, parts, loop)
        _open(home, ports, door)
        ready()
        notify.ready()
        loop.run()
        log.info("leaving; %d agents go on%s", len(parts.state.living), _named(parts.state.living))


def _named(agents: Iterable[str]) -> str:
    return "".join(f"{':' if number == 0 else ','} {one}" for number, one in enumerate(agents))


def _door(home: Home, listen: str | None, stack: ExitStack) -> Door:
    """The door for other machines, held closed for now. Nothing of it is ever plain."""
    keyring = Keyring(home.keys)
    if listen is None:
        return Door(keyring, None)
    remote = Remote(listen, server_secret(home.server_key), keyring)
    stack.callback(remote.close)
    return Door(keyring, remote)


def _open(home: Home, ports: Ports, door: Door) -> None:
    """From now on there are answers."""
    ports.bind()
    if door.remote is not None:
        door.remote.open()
        log.info("clients with a key may connect to %s; this is %s", door.remote.address, door.remote.public)
    log.info("serving %s", home.directory)


def _recover(home: Home, parts: Parts, loop: Loop) -> None:
    """Take up what an earlier daemon left: its agents become inputs like any others, through the same admission."""
    state = parts.state
    parts.records.restore(parts.unfinished, parts.clock().mono)
    _link_client(home)
    _take_up_given(parts)
    living = list(state.living.values())
    seen = parts.space.look(is_short=False)
    loop.feed([*([seen] if seen else []), *(parts.processes.adopt(agent) for agent in living), Tick()])
    parts.scribe.catch_up()
    log.info("took up %d living and %d queued agents", len(living), len(state.agents) - len(state.living))


def _take_up_given(parts: Parts) -> None:
    """Environments and inputs, as far as an agent has them or may be tried again with them."""
    left = parts.environments.left(parts.state.environments)
    recent = parts.store.agents(parts.store.page(None, _RECENT)) if left else ()  # a daemon died before it was tidy
    parts.given.recover(parts.state.agents.values(), recent, left)
    parts.environments.sweep(parts.state.environments)


@contextmanager
def _only_daemon_of(home: Home) -> Iterator[None]:
    """One daemon a home. The lock is ours alone: no child inherits it, or an orphan could keep the next daemon out."""
    lock = FileLock(home.lock, mode=0o600)
    try:
        lock.acquire(timeout=_LOCK_SECONDS)
    except Timeout:
        _outlast(home, lock)
    try:
        yield
    finally:
        lock.release()


def _outlast(home: Home, lock: FileLock) -> None:
    """Take the lock of a daemon that is on its way out. Raises AlreadyRunning when it answers, or does not end."""
    log.info("another daemon holds %s: waiting until it answers or ends", home.directory)
    patience = _LOCK_PATIENCE
    while patience > 0 and not is_listened_to(home.socket):
        with suppress(Timeout):
            lock.acquire(timeout=_LOCK_SECONDS)
            return
        patience -= _LOCK_SECONDS
    raise AlreadyRunning(f"another daemon serves {home.directory}; `orchctl daemon status` shows it")


def _become_daemon() -> None:
    """Be nobody's child to speak of and everybody's parent who has lost theirs."""
    if os.getsid(0) != os.getpid() and os.getpgid(0) != os.getpid():
        os.setsid()
    os.umask(0o077)
    os.chdir("/")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    sys.setswitchinterval(_SWITCH_SECONDS)
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        log.warning("cannot be a subreaper: %s", os.strerror(ctypes.get_errno()))


@contextmanager
def _signals() -> Iterator[int]:
    """A descriptor that is readable when a signal came. Ended children vanish by themselves; pidfds tell of them."""
    reader, writer = socket.socketpair()
    for end in (reader, writer):
        os.set_blocking(end.fileno(), False)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    old = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    try:
        yield reader.fileno()
    finally:
        signal.set_wakeup_fd(old)
        reader.close()
        writer.close()


def _heed_signals(loop: Loop) -> None:
    signal.signal(signal.SIGTERM, lambda *_: loop.leave())
    signal.signal(signal.SIGINT, lambda *_: loop.leave())
    signal.signal(signal.SIGHUP, lambda *_: loop.reload())


def _link_client(home: Home) -> None:
    """`orchctl` in a directory of its own, so that an agent's PATH gains it and nothing else."""
    link = home.bin / "orchctl"
    script = Path(sys.executable).parent / "orchctl"
    link.unlink(missing_ok=True)
    if script.exists():
        link.symlink_to(script)
    elif found := shutil.which("orchctl"):
        link.symlink_to(found)
    else:
        # -P: an agent may stand in a directory that has a folder called orchctl
        whole.write(link, os.fsencode(f'#!/bin/sh\nexec "{sys.executable}" -P -m orchctl "$@"\n'), 0o700)
