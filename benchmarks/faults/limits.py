"""The limit, when agents leave their waits while no slot is free, or poll for agents that are queued behind them."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial

from benchmarks.faults.killing import BRIEF
from benchmarks.faults.lab import Lab, Stuck, until
from benchmarks.faults.tally import Tally
from orchctl.client import Client
from orchctl.errors import NoDaemonError
from tests.e2e.parents import PINGS, clients_of
from tests.runnable import Runnable

_PARENTS = 5
_WINDOWS = 8  # of the witness, in which agents that may not work have the chance to
_NOTICED = 10.0  # seconds within which work beside a wait is noticed on a busy machine
_MODES = ("off", "auto")
# Until the file `go` exists, each works as soon as it gets out of its wait, or beside it.
_WORK = 'until [ -e "$ORCHD_HOME/../go" ]; do :; done'
_KILLED = f"orchctl wait {{target}} >/dev/null 2>&1; {_WORK}"
# These wait again until the agent that they wait for has begun, so that all of them come to wait.
_LATE = (
    f'until orchctl wait {{target}} --timeout 0.3 >/dev/null 2>&1; [ -e "$ORCHD_HOME/../begun" ]; do :; done; {_WORK}'
)
_BESIDE = f"orchctl wait {{target}} >/dev/null 2>&1 & {_WORK}; wait"
_POLLS = 'orchctl spawn -- sh {child} >/dev/null || exit 90; until [ -e "{done}" ]; do sleep 0.05; done'


def _answers(lab: Lab) -> bool:
    """Return whether the daemon has handled all earlier events; a witness of runnable agents needs that."""
    try:
        with Client(lab.home, starts=False) as client:
            for _ in range(PINGS):
                client.call("limit", patience=1.0)
    except NoDaemonError:
        return False
    return True


def _left(tally: Tally, script: str, *, kills: bool = False) -> Iterator[None]:
    """Agents wait for an agent that has the only slot, and leave their waits in this way; then the daemon is killed."""
    while True:
        for cgroups in _MODES:
            with Lab(tally, f'limit = 1\nresident = 64\ncgroups = "{cgroups}"\n') as lab:
                lab.start()
                lab.runnable = Runnable(lab.home.directory, partial(_answers, lab), limit=1)
                parents, last_id = _waiting(lab, script)
                if kills:
                    _kill_clients(lab, parents)
                _are_held(lab, parents, _NOTICED)
                lab.wait_for_windows(_WINDOWS)
                lab.kill_daemon()
                _are_held(lab, parents)
                lab.wait_for_windows(_WINDOWS)
                (lab.directory / "go").touch()
                lab.audit(dict.fromkeys(["agent-001", *parents, last_id], 0))
            yield


def _waiting(lab: Lab, script: str) -> tuple[list[str], str]:
    """Return the parents and the agent that they all wait for, once that agent has the slot."""
    parents = [f"agent-{number + 2:03d}" for number in range(_PARENTS)]
    last_id = f"agent-{_PARENTS + 2:03d}"
    specs = [lab.spec(script.format(target=last_id)) for _ in parents]
    batch = lab.directory / "batch"
    batch.write_text(
        "\n".join(map(json.dumps, [*specs, lab.spec(f'touch "$ORCHD_HOME/../begun"; {_WORK}', priority=-10)]))
    )
    lab.spawn([lab.spec(f"orchctl spawn --batch {batch} >/dev/null && orchctl wait --children >/dev/null")])
    until(lambda: lab.signed("begin")[last_id], "the agent that all wait for")
    return parents, last_id


def _kill_clients(lab: Lab, parents: list[str]) -> None:
    """Kill the clients of the waits, as the time limit of a tool does."""
    clients = until(
        lambda: clients if (clients := clients_of(lab.home.directory)).keys() >= set(parents) else None, "the waits"
    )
    for pid in [pid for parent in parents for pid in clients[parent]]:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _are_held(lab: Lab, parents: list[str], seconds: float | None = None) -> None:
    """Count the begun agents that `status` shows as neither waiting for a slot nor lending theirs."""

    def others() -> list[str]:
        begun_agents = {
            agent_id: agent for agent_id, agent in lab.listed(parents).items() if agent["status"] != "queued"
        }
        return [
            agent_id
            for agent_id, agent in begun_agents.items()
            if not agent["waits_for_slot"] and agent["frozen"] != "lent"
        ]

    try:
        until(lambda: not others(), "agents that wait for a slot", seconds)
    except Stuck:
        agents = others()
        lab.tally.count("unreported", len(agents), f"not said to wait for a slot: {agents}")


killed: Callable[[Tally], Iterator[None]] = partial(_left, script=_KILLED, kills=True)
late: Callable[[Tally], Iterator[None]] = partial(_left, script=_LATE)
beside: Callable[[Tally], Iterator[None]] = partial(_left, script=_BESIDE)


def polled(tally: Tally) -> Iterator[None]:
    """Agents poll for a child that is queued behind them, two levels deep, and the daemon is killed meanwhile."""
    while True:
        for cgroups in _MODES:
            with Lab(tally, f'limit = 1\nresident = 64\nstall_after = 0.5\ncgroups = "{cgroups}"\n') as lab:
                lab.start()
                lab.runnable = Runnable(lab.home.directory, partial(_answers, lab), limit=1)
                inner = _polls(lab, "inner", _WORK)
                outer = _polls(lab, "outer", inner)
                ids = lab.spawn([lab.spec(outer), lab.spec(BRIEF, 4)])
                expected: dict[str, int | str] = {ids[0]: 0, ids[1]: 4}
                until(lambda lab=lab: _lent(lab) == 2, "two loans")
                lab.wait_for_windows(_WINDOWS)
                lab.kill_daemon()
                lab.tally.count("lost", int(_lent(lab) != 2), "a loan is forgotten")
                lab.wait_for_windows(_WINDOWS)
                (lab.directory / "go").touch()
                expected |= dict.fromkeys(set(lab.listed()) - set(ids), 0)
                lab.audit(expected)
            yield


def _polls(lab: Lab, name: str, work: str) -> str:
    """Return the script of an agent that spawns a child for this work and polls for its end."""
    child, done_path = lab.directory / f"{name}.sh", lab.directory / f"{name}.done"
    child.write_text(lab.script(f"{work}; touch {done_path}")[-1])
    return _POLLS.format(child=child, done=done_path)


def _lent(lab: Lab) -> int:
    return sum(agent["frozen"] == "lent" for agent in lab.listed().values())
