"""orchd itself, measured as its peers are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from benchmarks import history
from benchmarks.harness import orchctl, start
from benchmarks.peers.base import WRITER, Peer, marked
from orchctl.client import Client
from orchd.instance.environment import ENV_HOME
from orchd.instance.home import Home

TRUE: dict[str, object] = {"command": ["/bin/true"]}
BATCH = 5000


class Orchd(Peer):
    """The daemon in a home of its own."""

    name = "orchd"
    many = 2000
    lists: ClassVar[tuple[int, ...]] = (0, 1000, 10_000, 100_000)

    def __init__(self) -> None:
        super().__init__()
        self.home = Home(self.directory)
        self.env["ORCHD_HOME"] = str(self.directory)
        self.client: Client | None = None

    def begin(self) -> None:
        self.daemon = start(self.home, self.env)
        self.client = Client(self.home, starts=False)

    def end(self) -> None:
        if self.client is not None:
            self.client.close()
            self.ctl([orchctl(), "daemon", "stop", "--stop-agents"])
            self.daemon.process.wait()
            self.client = None

    def abandon(self) -> None:
        """Kill the daemon and its agents; an orderly end of a long queue would be work too."""
        if self.client is not None:
            self.client.close()
            self.daemon.kill()
            self.client = None

    def processes(self) -> list[int]:
        """Return all living processes of the daemon; its shims have its home in their environment, and no mark."""
        return list({*super().processes(), *marked(f"{ENV_HOME}={self.home.directory}")})

    def call(self, op: str, **args: object) -> dict[str, object]:
        """Send one request on the open connection."""
        assert self.client is not None
        return self.client.call(op, args, patience=300.0)

    def spawn(self, agents: Sequence[Mapping[str, object]]) -> list[str]:
        """Spawn agents and return their ids."""
        spawned = self.call("spawn", agents=agents, cwd="/", env=self.env)["agents"]
        return [agent["id"] for agent in spawned]  # type: ignore[attr-defined]

    def run(self, count: int) -> None:
        """Run one batch."""
        self.call("wait", ids=self.spawn([TRUE] * count))

    def run_different(self, directories: Sequence[Path]) -> None:
        """Run one batch of agents that differ in their variables and directories."""
        agents = [
            {**TRUE, "cwd": str(directory), "env": {"TASK": str(number)}}
            for number, directory in enumerate(directories)
        ]
        self.call("wait", ids=self.spawn(agents))

    def run_one_by_one(self, count: int) -> None:
        """Send one request per agent."""
        self.call("wait", ids=[self.spawn([TRUE])[0] for _ in range(count)])

    def run_by_clients(self, count: int) -> None:
        """Start one client process per agent."""
        for _ in range(count):
            self.ctl(self.submission())
        self.ctl([orchctl(), "wait", "--all"])

    def submit(self) -> None:
        self.spawn([TRUE])

    def submission(self) -> list[str]:
        return [orchctl(), "spawn", "--", "/bin/true"]

    def know(self, count: int) -> None:
        """Write the history into the store with the daemon's own code."""
        self.end()
        history.write(self.home, count)
        self.begin()

    def listing(self) -> list[str]:
        return [orchctl(), "status"]

    def hold(self, count: int) -> None:
        self.call("limit", limit=count)
        self.spawn([{"command": ["sleep", "1000"]}] * count)

    def write(self) -> None:
        self.call("wait", ids=self.spawn([{"command": WRITER}]))
