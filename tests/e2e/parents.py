"""Agents that have children and leave their waits early, in a fleet."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import struct
import termios
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from orchctl.client import Client
from orchctl.errors import NoDaemonError
from tests.e2e.fleet import Fleet, Gate
from tests.runnable import Runnable
from tests.witness import is_wait, read

PINGS = 4  # the daemon deals with the ends of two clients between two requests
SPINS = 8  # windows of the witness for which agents work beside their wait
PATIENCE = 12  # windows of the witness for which agents that are waited for stand at their gate
# Each waits until `target` has ended, works at the gate whenever a wait ended before, and notes the exit codes.
KINDS = {
    "timeouts": "until orchctl wait {target} --timeout 0.3 >/dev/null 2>&1; do {note}; {gate}; done; {gate}",
    "killed": "until orchctl wait {target} >/dev/null 2>&1; do {note}; {gate}; done; {gate}",
    "background": "orchctl wait {target} >/dev/null 2>&1 & until [ -e {enough}.$ORCHD_AGENT ]; do :; done; {gate}; "
    "orchctl wait {target} >/dev/null 2>&1; {note}; {gate}",
}
FAMILY = "; orchctl spawn -- sh -c '{book}; {slow}' >/dev/null || exit 90; "


class Parents:
    """Agents that wait, each in the way of its kind, for an agent that is queued behind all of them; with `family`
    each then has a child and waits for that too. The agent that spawned them waits for all."""

    def __init__(self, fleet: Fleet, witness: Runnable, kinds: Sequence[str], *, family: bool) -> None:
        self.fleet, self.witness = fleet, witness
        self.gate, self.slow = fleet.gate(), fleet.gate()
        self.codes, self.enough = fleet.directory / "codes", fleet.directory / "enough"
        self.kills = 0
        self.ids = [f"agent-{number + 2:03d}" for number in range(len(kinds))]
        last = f"agent-{len(kinds) + 2:03d}"
        specs = [fleet.spec(self._script(kind, last) + self._family(kind) * family) for kind in kinds]
        batch = fleet.directory / "parents"
        batch.write_text("\n".join(map(json.dumps, [*specs, fleet.spec(self.slow.script, priority=-10)])))
        self.root = fleet.spawn(f"orchctl spawn --batch {batch} >/dev/null && orchctl wait --children")
        self.count = len(kinds) * (1 + family) + 2

    def _script(self, kind: str, target: str) -> str:
        note = f"echo $? >> {self.codes}"
        return KINDS[kind].format(target=target, gate=self.gate.script, note=note, enough=self.enough)

    def _family(self, kind: str) -> str:
        return FAMILY.format(book=self.fleet.book.script, slow=self.slow.script) + self._script(kind, "--children")

    def unfinished(self) -> list[dict[str, Any]]:
        """The agents that have not ended."""
        return [agent for agent in self.fleet.show() if agent["ended_at"] is None]

    def go_on(self, *, kills: bool, deaths: Collection[int] = (), is_enough: Callable[[], bool] | None = None) -> None:
        """Let agents pass a gate after each window of the witness, until none is left.

        With `kills`, clients of waits are killed; the daemon dies after as many windows as `deaths` says. With
        `is_enough`, agents go on until that is so, and not for longer.
        """
        step, began = 0, dict[str, int]()
        while unfinished := self.unfinished():
            step += 1
            if is_enough is not None and is_enough():
                self.fleet.client.call("cancel", {"ids": [self.root]})
            self.witness.next_window()
            waiting = {agent["id"] for agent in unfinished if agent["status"] == "waiting"} - {self.root}
            began = dict.fromkeys(waiting, step) | began
            for agent in [agent for agent, since in began.items() if is_enough is None and step >= since + SPINS]:
                Path(f"{self.enough}.{agent}").touch()
            if step % 2 == 0:
                _let(self.gate)
            if began.keys() >= set(self.ids) and step % PATIENCE == 0:
                _let(self.slow)
            if step in deaths:
                self.fleet.daemon_dies()
            if kills and step % 3 == 0:
                self.kills += self._kill(waiting)
            if step in deaths:
                self.fleet.client.call("limit")  # starts a daemon, unless a client that waits has done so

    def _kill(self, agents: Iterable[str]) -> int:
        """Kill a client of each of these agents that wait, if they wait in the foreground."""
        clients = clients_of(self.fleet.instance.directory)
        chosen = [clients[agent][0] for agent in sorted(agents) if agent in clients]
        for pid in chosen:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return len(chosen)

    def check(self) -> None:
        """Check that all agents have completed, in one attempt each."""
        agents = self.fleet.show()
        assert len(agents) == self.count
        wrong = [(agent["id"], agent["status"], agent["exit_code"], agent["reason"]) for agent in agents]
        assert {agent["status"] for agent in agents} == {"completed"}, wrong
        assert sorted(self.fleet.book.entries()) == sorted((agent["id"], 1) for agent in agents)

    def noted(self) -> set[int]:
        """The exit codes of waits that the parents noted."""
        return set(map(int, self.codes.read_text().split())) if self.codes.exists() else set()


def clients_of(home: Path) -> dict[str, list[int]]:
    """The pids of clients that wait, by the agent that they belong to."""
    clients: dict[str, list[int]] = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        environment = read(f"/proc/{name}/environ").split(b"\0")
        if b"ORCHD_HOME=" + os.fsencode(home) in environment and is_wait(read(f"/proc/{name}/cmdline").split(b"\0")):
            agent = next((pair[12:].decode() for pair in environment if pair.startswith(b"ORCHD_AGENT=")), "")
            clients.setdefault(agent, []).append(int(name))
    return clients


def pinging(fleet: Fleet) -> Callable[[], bool]:
    """A call that returns once the daemon has handled all earlier requests, for a witness."""

    def ping() -> bool:
        try:
            with Client(fleet.instance.home, starts=False) as client:
                for _ in range(PINGS):
                    client.call("limit", patience=1.0)
        except NoDaemonError:
            return False
        return True

    return ping


def _let(gate: Gate) -> None:
    """Let one more pass, unless one may already."""
    descriptor = os.open(gate.path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        unread = struct.unpack("i", fcntl.ioctl(descriptor, termios.FIONREAD, b"\0" * 4))[0]
    finally:
        os.close(descriptor)
    if not unread:
        gate.let()
