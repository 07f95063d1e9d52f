"""The parts of one daemon, each made once and given what it needs of the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from orchd.core.state.agents import Agent, AgentId, Attributes, Instant, State
from orchd.daemon.engine import Engine
from orchd.daemon.live_config import Settled, heed_limit
from orchd.daemon.performer import Shell
from orchd.errors import StoreError
from orchd.instance.config import Config, resident_of
from orchd.instance.database_file import lost
from orchd.instance.home import Home
from orchd.monitors.background_work import Parked
from orchd.monitors.disk_space import Space
from orchd.monitors.lent_slots import Borrowers
from orchd.network.callers import Callers
from orchd.network.keyring import Keyring
from orchd.network.remote import FarRoute, Remote
from orchd.network.sockets import Ports
from orchd.network.subscribers import Visitors
from orchd.processes import unrecorded
from orchd.processes.linux.cgroups import Cgroups
from orchd.processes.local import LocalProcesses
from orchd.retention.pruner import Pruner
from orchd.server.dispatcher import Gateway
from orchd.server.queries import Queries
from orchd.server.resolver import Naming
from orchd.server.translate import Translator
from orchd.server.waits import Waits
from orchd.session_files.directory import Places
from orchd.session_files.writer import Scribe
from orchd.store.database import Store
from orchd.store.environments import Environments
from orchd.store.spawn_inputs import Given, Inputs, Retries
from orchd.views.agents import iso
from orchd.views.registry import Records


class Door(NamedTuple):
    """Who may come from other machines, and where, if anywhere."""

    keyring: Keyring
    remote: Remote | None


@dataclass(frozen=True, slots=True)
class Parts:
    """What the loop drives."""

    clock: Callable[[], Instant]
    state: State
    unfinished: list[Agent]  # of an earlier daemon, not in the state yet
    store: Store
    ports: Ports
    remote: Remote | None
    visitors: Visitors
    environments: Environments
    given: Given
    processes: LocalProcesses
    parked: Parked
    borrowers: Borrowers
    records: Records
    scribe: Scribe
    gateway: Gateway
    waits: Waits
    shell: Shell
    engine: Engine
    settings: Settled
    space: Space
    pruner: Pruner


def open_store(home: Home) -> Store:
    """The database. Raises StoreError for one that cannot be used, and where it is gone and agents of it are not."""
    has_attempts = unrecorded.has_attempts(home)
    if has_attempts and not home.database.exists():
        raise StoreError(lost(home.database, "is missing"))
    return Store(home.database, begins=not has_attempts)


def restore(home: Home, parts: Parts) -> None:
    """Put into memory what an earlier daemon left unfinished. Raises StoreError when agents run that the database does
    not know."""
    records = parts.records
    records.restore(parts.unfinished, parts.clock().mono)

    def begun(one: AgentId) -> int | None:
        return None if (agent := records.recorded(one)) is None else agent.attempt

    unrecorded.check(home, parts.state, begun, lambda: parts.clock().mono)
    if not parts.state.last_number:
        unrecorded.check_marks(home)


def assemble(
    home: Home,
    config: Config,
    store: Store,
    ports: Ports,
    door: Door,
    clock: Callable[[], Instant],
    defaults: Attributes = Attributes(),  # noqa: B008 - it cannot change
) -> Parts:
    """All parts, wired; nothing has happened yet."""
    state = State(limit=config.limit, resident=resident_of(config))
    unfinished = store.restore(state, clock())
    heed_limit(state, config)
    environments = Environments(home.environments)
    inputs = Inputs(home.inputs)
    given = Given(inputs, Retries(home.retry, environments.get, inputs))
    cgroups = Cgroups.where_allowed(home.tag) if config.cgroups == "auto" else None
    processes = LocalProcesses(home, environments.get, cgroups, lambda: clock().mono, lambda: clock().wall, defaults)
    records = Records(state, store)
    naming = Naming(state, store, records)
    translator = Translator(state, store, records, naming, environments, given, config, processes.held)
    scribe = Scribe(state, store, clock, _places(config))
    space = Space(home.directory, config.free_bytes)
    settings = _settled(home, config, state, translator, scribe)
    settings.tell(space.heed)
    settings.is_limit_set = lambda: state.is_limit_set
    queries = Queries(home, state, store, records, processes, naming, clock)
    queries.in_force = settings.in_force
    visitors = Visitors(door.keyring, door.remote, lambda: iso(clock().wall) or "")
    processes.logs.heed(config.log_bytes)
    settings.tell(lambda new: processes.logs.heed(new.log_bytes))
    pruner = Pruner(home, state, store, records, processes, clock, config)
    settings.tell(pruner.heed)
    callers = Callers(home, processes)
    callers.heed(config)
    settings.tell(callers.heed)
    ports.identify = callers.identify
    gateway = Gateway(
        state=state,
        store=store,
        records=records,
        callers=callers,
        naming=naming,
        translator=translator,
        queries=queries,
        reply=_replies(ports, door.remote, scribe),
        clock=clock,
        reload=settings.reload,
        limits=settings.limits,
        visitors=visitors,
        prune=pruner.ask,
    )
    pruner.answer, pruner.onlooked = gateway.answer, gateway.waits.targets
    pruner.forget = given.retries.drop
    shell = Shell(state, processes, gateway, scribe, clock)
    shell.given = given
    engine = Engine(state, store, shell, clock)
    return Parts(
        clock,
        state,
        unfinished,
        store,
        ports,
        door.remote,
        visitors,
        environments,
        given,
        processes,
        Parked(state, processes.load_seconds, processes.freeze, lambda: clock().mono),
        Borrowers(state, processes.load_seconds, processes.quiet_for, lambda: clock().mono),
        records,
        scribe,
        gateway,
        gateway.waits,
        shell,
        engine,
        settings,
        space,
        pruner,
    )


def _replies(ports: Ports, remote: Remote | None, scribe: Scribe) -> Callable[[tuple[bytes, ...], bytes], None]:
    """How replies are sent: nobody is told of an end before files tell it."""

    def reply(route: tuple[bytes, ...], frame: bytes) -> None:
        scribe.before_reply()
        if not isinstance(route, FarRoute):
            ports.reply(route, frame)
        elif remote is not None:
            remote.reply(route, frame)

    return reply


def _settled(home: Home, config: Config, state: State, translator: Translator, scribe: Scribe) -> Settled:
    """The configuration, and those who go by it."""
    settled = Settled(home.config, config)
    settled.tell(translator.heed)

    def heed(new: Config) -> None:
        heed_limit(state, new)
        scribe.move(_places(new))

    settled.tell(heed)
    return settled


def _places(config: Config) -> Places | None:
    return Places(config.sessions_path, config.state_path) if config.session_files else None
