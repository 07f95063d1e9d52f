"""The objects that operations use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from orchd.core.inputs import SetLimit
from orchd.core.state.agents import Instant
from orchd.core.state.state import State
from orchd.instance.config import Config
from orchd.instance.home import Home
from orchd.network.callers import Callers
from orchd.network.subscribers import Subscribers
from orchd.processes.local import LocalProcesses
from orchd.retention.pruner import Pruner
from orchd.server.calls import PendingRequests
from orchd.server.listing import AgentListing
from orchd.server.resolver import Resolver
from orchd.server.waits import Waits
from orchd.store.database import Store
from orchd.store.environments import Environments
from orchd.store.spawn_inputs import SpawnInputs
from orchd.views.registry import AgentRegistry


class CurrentSettings(Protocol):
    """The configuration in force."""

    @property
    def current(self) -> Config:
        """Return the configuration of the last file that was read."""

    def reload(self) -> dict[str, object]:
        """Read the file again. Returns the keys that changed. Raises ConfigError, and then changes nothing."""

    def in_force(self) -> Mapping[str, object]:
        """Return the value of each key that is not a table."""

    def limits(self) -> SetLimit:
        """Return the input that sets the limit to the value of the file."""


@dataclass(slots=True)
class Context:
    """The objects that operations may use, created once by the wiring."""

    home: Home
    state: State
    store: Store
    records: AgentRegistry
    resolver: Resolver
    listing: AgentListing
    processes: LocalProcesses
    environments: Environments
    given: SpawnInputs
    clock: Callable[[], Instant]
    settings: CurrentSettings
    callers: Callers
    subscribers: Subscribers
    pruner: Pruner
    pending: PendingRequests
    waits: Waits
    identity: Mapping[str, object]  # of this daemon: pid, version, paths
    is_disk_full: bool = False
    is_leaving: bool = False
    started: float = field(init=False)  # seconds of the daemon's clock

    def __post_init__(self) -> None:
        self.started = self.clock().mono
