"""Builds the components of a daemon and connects them."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import NamedTuple

from orchd.core.state.agents import Agent, AgentId, Instant, ProcessAttributes
from orchd.core.state.state import Guards, State
from orchd.daemon.engine import Engine
from orchd.daemon.live_config import LiveConfig
from orchd.daemon.performer import Performer
from orchd.daemon.sd_notify import Notifier
from orchd.errors import StoreError
from orchd.instance.config import Config, resident_of
from orchd.instance.database_file import lost
from orchd.instance.home import Home
from orchd.monitors.background_work import BackgroundWork
from orchd.monitors.disk_space import DiskSpace
from orchd.monitors.lent_slots import LentSlots
from orchd.network.callers import Callers
from orchd.network.keyring import Keyring
from orchd.network.remote import RemoteRoute, RemoteSocket
from orchd.network.sockets import LocalSockets
from orchd.network.subscribers import Subscribers
from orchd.processes import unrecorded
from orchd.processes.linux.cgroups import Cgroups
from orchd.processes.local import LocalProcesses
from orchd.protocol.frames import VERSION
from orchd.retention.pruner import Pruner
from orchd.server.calls import Call, PendingRequests, Result
from orchd.server.context import Context
from orchd.server.dispatcher import Dispatcher, run
from orchd.server.listing import AgentListing
from orchd.server.resolver import Resolver
from orchd.server.waits import Waits
from orchd.session_files.directory import SessionFilePaths
from orchd.session_files.writer import SessionFileWriter
from orchd.store.database import Store
from orchd.store.environments import Environments
from orchd.store.migrations import newest
from orchd.store.spawn_inputs import Inputs, Retries, SpawnInputs
from orchd.views.agents import iso
from orchd.views.registry import AgentRegistry


class RemoteAccess(NamedTuple):
    """The authorized keys, and the remote port if there is any."""

    keyring: Keyring
    remote: RemoteSocket | None


@dataclass(frozen=True, slots=True)
class Components:
    """The components that the loop drives."""

    context: Context
    unfinished: list[Agent]  # of an earlier daemon, not in the state yet
    ports: LocalSockets
    remote: RemoteSocket | None
    parked: BackgroundWork
    borrowers: LentSlots
    scribe: SessionFileWriter
    dispatcher: Dispatcher
    shell: Performer
    engine: Engine
    settings: LiveConfig
    space: DiskSpace


def open_store(home: Home) -> Store:
    """Return the database. Raises StoreError when it cannot be used, or is missing while the home has agents."""
    has_attempts = unrecorded.has_attempts(home)
    if has_attempts and not home.database.exists():
        raise StoreError(lost(home.database, "is missing"))
    return Store(home.database, begins=not has_attempts)


def restore(home: Home, parts: Components) -> None:
    """Load what an earlier daemon left unfinished. Raises StoreError when agents run that the database does
    not know."""
    context = parts.context
    context.records.restore(parts.unfinished, context.clock().mono)

    def begun(agent_id: AgentId) -> int | None:
        return None if (agent := context.records.recorded(agent_id)) is None else agent.attempt

    unrecorded.check(home, context.state, begun, lambda: context.clock().mono)
    if not context.state.last_number:
        unrecorded.check_marks(home)


def build_components(
    home: Home,
    config: Config,
    store: Store,
    door: RemoteAccess,
    clock: Callable[[], Instant],
    notify: Notifier,
    defaults: ProcessAttributes = ProcessAttributes(),  # noqa: B008 - it cannot change
    change: Callable[[Context, Call], Result] = run,
    send: Callable[[tuple[bytes, ...], bytes], None] | None = None,
) -> Components:
    """Return all components, connected and idle. `change` performs operations that may change something; `send` sends
    replies, by the sockets where it is None."""
    state = State(limit=config.limit, resident=resident_of(config))
    unfinished = store.restore(state, clock())
    scribe = SessionFileWriter(state, store, clock, _places(config))
    space = DiskSpace(home.directory, config.free_bytes)

    def apply_config(new: Config) -> None:
        configure_core(state, new)
        context.processes.logs.reconfigure(new.log_bytes)
        context.callers.reconfigure(new)
        scribe.move(_places(new))
        space.reconfigure(new)
        context.pruner.reconfigure(new)

    settings = LiveConfig(home.config, config, state, notify, apply_config)
    context = _build_context(home, state, store, door, clock, settings, defaults)
    apply_config(config)
    processes = context.processes
    ports = LocalSockets(home, context.callers.identify)
    dispatcher = Dispatcher(context, send or _sender(ports, door.remote, scribe), change)
    shell = Performer(state, processes, dispatcher, scribe, context.given, clock)
    return Components(
        context,
        unfinished,
        ports,
        door.remote,
        BackgroundWork(state, processes.load_seconds, processes.freeze, lambda: clock().mono),
        LentSlots(state, processes.load_seconds, processes.quiet_for, lambda: clock().mono),
        scribe,
        dispatcher,
        shell,
        Engine(state, store, shell, clock),
        settings,
        space,
    )


def _build_context(
    home: Home,
    state: State,
    store: Store,
    door: RemoteAccess,
    clock: Callable[[], Instant],
    settings: LiveConfig,
    defaults: ProcessAttributes,
) -> Context:
    """Return what the operations of clients use."""
    environments = Environments(home.environments)
    inputs = Inputs(home.inputs)
    given = SpawnInputs(inputs, Retries(home.retry, environments.get, inputs))
    cgroups = Cgroups.where_allowed(home.tag) if settings.current.cgroups == "auto" else None
    processes = LocalProcesses(home, environments.get, cgroups, lambda: clock().mono, lambda: clock().wall, defaults)
    records = AgentRegistry(state, store)
    subscribers = Subscribers(door.keyring, door.remote, lambda: iso(clock().wall) or "")
    pending: PendingRequests = {}
    return Context(
        home=home,
        state=state,
        store=store,
        records=records,
        resolver=Resolver(state, store, records),
        listing=AgentListing(state, store, records),
        processes=processes,
        environments=environments,
        given=given,
        clock=clock,
        settings=settings,
        callers=Callers(home, processes),
        subscribers=subscribers,
        pruner=Pruner(home, state, store, records, processes, clock, given.retries.drop),
        pending=pending,
        waits=Waits(state, clock, subscribers.is_there, pending),
        identity=identity(home),
    )


def configure_core(state: State, config: Config) -> None:
    """Set what the core takes from the configuration: guards against runaways, and how the limit is enforced."""
    state.guards = Guards(config.depth, config.children, config.agents)
    state.is_strict = config.enforcement == "strict"
    state.stall_after = config.stall_after
    state.rate_limit_waits, state.rate_limit_time = config.rate_limit_waits, config.rate_limit_time


def identity(home: Home) -> dict[str, object]:
    """Return the identity of this daemon: its pid, version, formats, socket and home."""
    return {
        "pid": os.getpid(),
        "version": version("orchd"),
        "schema": newest(),
        "protocol": VERSION,
        "socket": str(home.socket),
        "home": str(home.directory),
    }


def _sender(
    ports: LocalSockets, remote: RemoteSocket | None, scribe: SessionFileWriter
) -> Callable[[tuple[bytes, ...], bytes], None]:
    """Return the function that sends replies: session files report an end before a reply does."""

    def send(route: tuple[bytes, ...], frame: bytes) -> None:
        scribe.before_reply()
        if not isinstance(route, RemoteRoute):
            ports.reply(route, frame)
        elif remote is not None:
            remote.reply(route, frame)

    return send


def _places(config: Config) -> SessionFilePaths | None:
    return SessionFilePaths(config.sessions_path, config.state_path) if config.session_files else None
