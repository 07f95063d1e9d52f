"""Whatever an agent does to work beside its wait, it works only in a slot: it is noticed and frozen, as a whole."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from orchd.instance.system.own_cgroup import own_cgroup
from tests.conftest import processes_of, until
from tests.e2e.cgroup_modes import BY_CGROUP
from tests.e2e.fleet import Fleet
from tests.e2e.parents import pinging
from tests.runnable import Runnable
from tests.witness import read

BUSY = "while :; do :; done"
# Waits on a socket of its own and goes on: no client can be seen.
RAW = """\
import os, pathlib, sys, zmq
from orchd.instance.home import Home
from orchd.protocol.frames import pack_request
socket = zmq.Context().socket(zmq.DEALER)
socket.connect("ipc://" + str(Home(pathlib.Path(os.environ["ORCHD_HOME"])).socket))
socket.send(pack_request("raw", "wait", {"ids": [sys.argv[1]]}))
os.read(os.open(sys.argv[2], os.O_RDONLY), 1)
while True:
    pass
"""
# Each process works for a moment, forks the next one and ends: what it used is counted by nobody.
CHAIN = """\
import os, time
while True:
    until = time.process_time() + 0.03
    while time.process_time() < until:
        pass
    if os.fork():
        os._exit(0)
"""
# `wait` blocks in a wait, and `go` until work may begin.
WAYS_TO_WORK = {
    "beside": "{wait} & {go}; {busy}",
    "client-is-stopped": "{wait} & {go}; kill -STOP $!; {busy}",
    "one-of-two-clients-is-killed": "{wait} & {wait} & {go}; kill -9 $!; {busy}",
    "waits-for-any": "{wait} --any & {go}; {busy}",
    "other-program": "{wait} & {go}; exec sh -c '{busy}'",
    "process-that-was-idle": "({go}; {busy}) & {wait}",
    "other-session": "{wait} & {go}; setsid sh -c '{busy}' & wait",
    "orphan": "{wait} & {go}; (setsid sh -c '{busy}' &); wait",
    "short-programs": "{wait} & {go}; while :; do cat /proc/self/stat >/dev/null; done",
    "chain-of-orphans": "{wait} & {go}; {python} -S {chain}; wait",
    "own-socket": "exec {python} {raw} {target} {gate}",
    "no-client": "{wait} & {go}; kill -9 $!; {busy}",
}


@pytest.fixture(params=[BY_CGROUP, "off"], ids=["by-cgroup", "by-looking"])
def fleet(request: pytest.FixtureRequest, resting: Fleet) -> Fleet:
    """A fleet with one slot."""
    resting.instance.configure(f'limit = 1\nresident = 32\ncgroups = "{request.param}"\ngrace = 0.5\n')
    resting.instance.start()
    return resting


class Workers:
    """An agent for each way to work beside a wait; the agent that all wait for stands at a gate in the only slot."""

    def __init__(self, fleet: Fleet, ways: list[str]) -> None:
        self.fleet = fleet
        self.gate, go = fleet.gate(), fleet.gate()
        raw = fleet.directory / "raw.py"
        raw.write_text(RAW)
        chain = fleet.directory / "chain.py"
        chain.write_text(CHAIN)
        target = f"agent-{len(ways) + 2:03d}"
        words = {
            "wait": f"orchctl wait {target} >/dev/null 2>&1",
            "go": go.script,
            "busy": BUSY,
            "python": sys.executable,
            "raw": raw,
            "chain": chain,
            "target": target,
            "gate": go.path,
        }
        specs = [fleet.spec(WAYS_TO_WORK[way].format(**words)) for way in ways]
        batch = fleet.directory / "batch"
        batch.write_text("\n".join(map(json.dumps, [*specs, fleet.spec(self.gate.script, priority=-10)])))
        self.root = fleet.spawn(f"orchctl spawn --batch {batch} >/dev/null && orchctl wait --children")
        self.ids = [f"agent-{number + 2:03d}" for number in range(len(ways))]
        fleet.started(target)
        go.let(len(ways))

    def causes(self) -> dict[str, str | None]:
        """Why each is frozen."""
        return {agent["id"]: agent["frozen"] for agent in self.fleet.show(*self.ids)}

    def are_frozen(self) -> bool:
        """Whether all are."""
        return None not in self.causes().values()

    def processes(self) -> Iterator[int]:
        """The pids of their processes, without shims."""
        for pid, line in processes_of(self.fleet.instance.directory).items():
            variables = read(f"/proc/{pid}/environ").split(b"\0")
            agent = next((pair[12:].decode() for pair in variables if pair.startswith(b"ORCHD_AGENT=")), None)
            if agent in self.ids and "_orchd_logs" not in line:
                yield pid

    def cpu(self) -> dict[int, bytes]:
        """The CPU time that each process has used."""
        return {
            pid: b" ".join(read(f"/proc/{pid}/stat").rpartition(b")")[2].split()[11:13]) for pid in self.processes()
        }

    def are_at_rest(self, witness: Runnable) -> bool:
        """Whether none of their processes used the CPU for a while."""
        before = self.cpu()
        for _ in range(5):
            witness.next_window()
        return self.cpu() == before

    def end(self) -> None:
        """End all agents by cancelling their root."""
        self.fleet.client.call("cancel", {"ids": [self.root]})
        self.fleet.ends(*self.ids, self.root)


@pytest.mark.slow
def test_an_agent_that_works_during_its_wait_is_frozen(fleet: Fleet) -> None:
    workers = Workers(fleet, list(WAYS_TO_WORK))
    until(workers.are_frozen, what="all frozen")
    causes = dict(zip(WAYS_TO_WORK, workers.causes().values(), strict=True))
    assert causes.pop("no-client") == "wait-cut"
    assert set(causes.values()) == {"busy"}
    with closing(Runnable(fleet.instance.directory, pinging(fleet), limit=1)) as witness:
        until(lambda: workers.are_at_rest(witness))
        workers.end()
    assert witness.violations == []


@pytest.mark.slow
def test_frozen_agents_that_are_woken_are_frozen_again(fleet: Fleet) -> None:
    workers = Workers(fleet, ["beside", "no-client", "orphan"])
    until(workers.are_frozen, what="all frozen")
    with closing(Runnable(fleet.instance.directory, pinging(fleet), limit=1)) as witness:
        until(lambda: workers.are_at_rest(witness))
        for pid in workers.processes():
            own = own_cgroup(pid)
            with suppress(OSError):
                os.kill(pid, signal.SIGCONT)
                (Path(str(own)) / "cgroup.freeze").write_text("0")
        until(lambda: not workers.are_at_rest(witness), what="something woken")
        until(lambda: workers.are_at_rest(witness), what="all at rest again")
        workers.end()
