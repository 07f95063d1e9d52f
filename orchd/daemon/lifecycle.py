"""Startup and shutdown of a daemon: their steps in order, before the first request and after the last."""

from __future__ import annotations

import ctypes
import logging
import os
import shutil
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from orchd.core.inputs import Tick
from orchd.core.state.agents import Instant, ProcessAttributes
from orchd.daemon import live_config as configuration
from orchd.daemon.full_disk import FullDisk, Signals, WithoutRoom, take_up
from orchd.daemon.loop import Loop
from orchd.daemon.presence import Lock, Presence
from orchd.daemon.sd_notify import Notifier
from orchd.daemon.wiring import Components, RemoteAccess, build_components, open_store, restore
from orchd.errors import ConfigError, StoreError
from orchd.instance.config import Config
from orchd.instance.home import Home
from orchd.instance.service import Service, record_service
from orchd.instance.system import atomic_file
from orchd.monitors.disk_space import keep_reserve
from orchd.network.callers import check_namespaces, check_proc, check_uid
from orchd.network.keyring import Keyring, server_secret
from orchd.network.peers import Outside
from orchd.network.remote import RemoteSocket
from orchd.network.sockets import LocalSockets
from orchd.processes.linux import descriptors
from orchd.store.database import Store

log = logging.getLogger("orchd")

_PR_SET_CHILD_SUBREAPER = 36  # prctl(2)
_RECENT = 1_000  # agents that may have ended in the last turn of a daemon that was killed
# How long a commit that has ended may wait to say so while we decide something else.
_SWITCH_SECONDS = 0.0002


def serve(
    home: Home,
    lock: Lock,
    clock: Callable[[], Instant],
    notify: Notifier,
    service: Service | None,
    ready: Callable[[], None],
) -> None:
    """Run until a stop is requested. Raises OrchdError or HomeError for faults that an operator must fix first."""
    with ExitStack() as stack:
        check_proc()
        check_uid()
        home.create()
        lock.acquire()
        settings = configuration.read(home.config)
        check_namespaces(home)
        record_service(home, service)
        defaults = _become_daemon()
        store = open_store(home)
        stack.callback(store.close)
        wakeup = stack.enter_context(_signals())
        keyring = Keyring(home.keys)
        remote: RemoteSocket | None = None
        if settings.remote.listen is not None:  # still closed; it never sends or accepts unencrypted data
            remote = RemoteSocket(settings.remote.listen, server_secret(home.server_key), keyring)
            stack.callback(remote.close)
        door = RemoteAccess(keyring, remote)
        parts = build_components(home, settings, store, door, clock, notify, defaults)
        stack.callback(parts.ports.close)
        stack.callback(parts.context.processes.close)  # also when it cannot serve: its cgroup would stay for good
        presence = Presence(home, lock, parts.ports)
        loop = Loop(parts, wakeup, notify, presence)
        signal.signal(signal.SIGTERM, lambda *_: loop.leave())
        signal.signal(signal.SIGINT, lambda *_: loop.leave())
        signal.signal(signal.SIGHUP, lambda *_: loop.reload())
        descriptors.check_for_daemon()
        _recover(home, parts, loop)
        presence.begin()  # requests are answered from now on
        if remote is not None:
            remote.open()
            log.info(
                "accepting remote clients at %s; the public key of this daemon is %s", remote.address, remote.public
            )
        log.info("serving %s", home.directory)
        keep_reserve(home.reserve)
        ready()
        notify.ready()
        loop.run()
        living = parts.context.state.living
        log.info("shutting down; %d agents keep running%s", len(living), f": {', '.join(living)}" if living else "")


def serve_without_room(
    home: Home, lock: Lock, clock: Callable[[], Instant], notify: Notifier, ready: Callable[[], None]
) -> bool:
    """Serve while the disk of the home is full. Returns True when there is room, False when a stop was requested.

    Raises as `serve` does, and DiskFull when pruning needs more room than there is.
    """
    with ExitStack() as stack:
        lock.acquire()
        _become_daemon()
        wakeup = stack.enter_context(_signals())
        signals, without_room = Signals(), WithoutRoom(home, clock)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: signals.leave())
        try:
            settings = configuration.read(home.config)
        except ConfigError:
            settings = Config()
        parts: Components | None = None
        try:
            store = Store(home.database, without_room=True)
            stack.callback(store.close)
            door = RemoteAccess(Keyring(home.keys), None)
            parts = build_components(home, settings, store, door, clock, notify, change=without_room)
            take_up(parts, stack)
        except (StoreError, OSError) as error:
            parts = None  # the database cannot be read
            log.warning("only `daemon status` and `daemon stop` are answered: %s", error)
        ports = parts.ports if parts else LocalSockets(home, lambda _: Outside.NOBODY)
        stack.callback(ports.close)
        presence = Presence(home, lock, ports)
        full = FullDisk(home, parts, ports, presence, wakeup, notify, clock, signals, without_room)
        presence.begin()
        log.warning(
            "the disk of %s is full: no agent starts and no change is accepted until space is free", home.directory
        )
        ready()
        notify.ready()
        return full.run()


def _recover(home: Home, parts: Components, loop: Loop) -> None:
    """Recover the agents of an earlier daemon: they become inputs like any others, through the same admission."""
    state = parts.context.state
    restore(home, parts)
    _link_client(home)
    store, environments = parts.context.store, parts.context.environments
    left = environments.left(state.environments)
    recent = store.agents(store.page(None, _RECENT)) if left else ()  # a daemon died before it was tidy
    parts.context.given.recover(state.agents.values(), recent, left)
    environments.sweep(state.environments)
    living = list(state.living.values())
    disk_space = parts.space.look(has_disk_pressure=False)
    loop.feed(
        [
            *([disk_space] if disk_space else []),
            *(parts.context.processes.adopt(agent) for agent in living),
            parts.settings.limits(),
            Tick(),
        ]
    )
    parts.scribe.catch_up()
    log.info("recovered %d running and %d queued agents", len(living), len(state.agents) - len(state.living))


def _become_daemon() -> ProcessAttributes:
    """Detach from the parent process and become a subreaper. Returns the default attributes of agents: the values that
    this process was started with, where it changes them for itself."""
    if os.getsid(0) != os.getpid() and os.getpgid(0) != os.getpid():
        os.setsid()
    umask = os.umask(0o077)
    os.chdir("/")
    limits = descriptors.raise_own()
    sys.setswitchinterval(_SWITCH_SECONDS)
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        log.warning("cannot become a subreaper: %s", os.strerror(ctypes.get_errno()))
    return ProcessAttributes(umask=umask, limits=(("nofile", *limits),))


@contextmanager
def _signals() -> Iterator[int]:
    """Return a descriptor that is readable when a signal came. The kernel reaps ended children; pidfds report them."""
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


def _link_client(home: Home) -> None:
    """Link `orchctl` in a directory of its own, so that an agent's PATH gains only that."""
    link = home.bin / "orchctl"
    script = Path(sys.executable).parent / "orchctl"
    link.unlink(missing_ok=True)
    if script.exists():
        link.symlink_to(script)
    elif program := shutil.which("orchctl"):
        link.symlink_to(program)
    else:
        # -P: an agent may stand in a directory that has a folder called orchctl
        atomic_file.write(link, os.fsencode(f'#!/bin/sh\nexec "{sys.executable}" -P -m orchctl "$@"\n'), 0o700)
