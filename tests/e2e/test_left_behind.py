"""A daemon that has stopped leaves the agents that it said it leaves, their shims, and no other process."""

from __future__ import annotations

import json
import os
import re
import signal
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from orchd.processes.shims import script
from tests.conftest import DEADLINE, Instance, processes_of, until
from tests.support.raw import Raw, request

# A child in a session of its own, whose parent is gone.
FORKS = "setsid sleep 600 & echo $! >> {pids}; (sleep 600 & echo $! >> {pids}); echo up; exec sleep 600"


def of(pid: int, name: str) -> str:
    """A variable of a process."""
    match = re.search(rb"(?:^|\0)%s=([^\0]*)" % name.encode(), Path(f"/proc/{pid}/environ").read_bytes())
    return match[1].decode() if match else ""


def left(instance: Instance) -> dict[str, set[int]]:
    """The processes by their agent; under the empty name the processes without an agent."""
    pids_by_agent: dict[str, set[int]] = {}
    for pid in processes_of(instance.directory):
        with suppress(FileNotFoundError):
            pids_by_agent.setdefault(recorded(pid) or of(pid, "ORCHD_AGENT"), set()).add(pid)
    return pids_by_agent


def recorded(pid: int) -> str | None:
    """The agent whose exit record a shim holds: a shim shows neither marks nor a name of an agent."""
    with suppress(FileNotFoundError):
        record = Path(f"/proc/{pid}/fd/{script.RECORD}").readlink()
        return record.name.partition(".")[0] if record.suffix == ".exit" else None
    return None


def counted(pids_by_agent: dict[str, set[int]], agents: list[str]) -> dict[str, int]:
    """The number of processes of each of these agents."""
    return {agent_id: len(pids_by_agent.get(agent_id, ())) for agent_id in agents}


@pytest.mark.timeout(180)
def test_a_stopped_daemon_leaves_only_the_processes_of_the_kept_agents(instance: Instance, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    forks = FORKS.format(pids=pids)
    plain = instance.spawn("sleep", "600")
    family = instance.spawn("sh", "-c", forks)
    parent = instance.spawn("sh", "-c", "orchctl spawn -- sleep 600; echo up; exec sleep 600")
    ended = instance.spawn("sh", "-c", f"{forks.rpartition(';')[0]}; exit 3")
    instance.ctl("wait", ended, code=1)
    until(lambda: all("up" in instance.ctl("logs", agent_id) for agent_id in (family, parent)))
    (child,) = [agent["id"] for agent in instance.status()["agents"] if agent["parent"] == parent]
    living = [plain, family, parent, child]
    until(lambda: {agent["status"] for agent in instance.status(*living)["agents"]} == {"running"})
    instance.ctl("pause")
    queued = instance.spawn("sleep", "600")
    shims = {agent["id"]: agent["pid"] for agent in instance.status(*living)["agents"]}
    expected = {plain: 2, family: 4, parent: 2, child: 2}  # each with its shim
    until(lambda: counted(left(instance), living) == expected)
    below = {process.pid for process in psutil.Process(instance.daemon.pid).children(recursive=True)}

    reply = json.loads(instance.ctl("daemon", "stop", "--keep-agents", "--json"))
    instance.daemon.wait(DEADLINE)
    pids_by_agent = left(instance)
    assert reply == {"living": 4, "agents": sorted(living)}
    assert sorted(pids_by_agent) == reply["agents"]
    assert all(shims[agent_id] in pids_by_agent[agent_id] for agent_id in living)
    assert counted(pids_by_agent, living) == expected
    everybody = set().union(*pids_by_agent.values())
    assert {pid for pid in map(int, pids.read_text().split()) if Path(f"/proc/{pid}").exists()} <= pids_by_agent[family]
    assert {pid for pid in below if Path(f"/proc/{pid}").exists()} <= everybody
    instance.start()
    assert {agent["id"]: agent["pid"] for agent in instance.status(*living)["agents"]} == shims
    assert instance.agent(queued)["status"] == "queued"


def test_no_agent_starts_after_the_stop_reply_that_lists_kept_agents(instance: Instance) -> None:
    agent_id = instance.spawn("sleep", "600")
    with Raw(instance.home) as raw:
        raw.ask("daemon")
        os.kill(instance.daemon.pid, signal.SIGSTOP)
        raw.send(request("s", "stop", {"agents": "keep"}))
        for number in range(5):
            raw.send(request(f"r{number}", "spawn", {"agents": [{"command": ["/bin/sleep", "600"]}], "cwd": "/"}))
        os.kill(instance.daemon.pid, signal.SIGCONT)
        reply = raw.recv()["result"]
        instance.daemon.wait(DEADLINE)
    assert reply == {"living": 1, "agents": [agent_id]}
    until(lambda: list(left(instance)) == [agent_id])  # a process that is just becoming the agent bears no marks yet


def test_daemon_stop_prints_the_agents_that_keep_running(instance: Instance) -> None:
    first, other = instance.spawn("sleep", "600"), instance.spawn("sleep", "600")
    output = instance.ctl("daemon", "stop", "--keep-agents")
    assert output == f"agents that keep running: {first}, {other}\n"
    assert f"shutting down; 2 agents keep running: {first}, {other}" in instance.log()


def test_a_daemon_stopped_with_its_agents_leaves_no_process(instance: Instance, tmp_path: Path) -> None:
    forks = FORKS.format(pids=tmp_path / "pids")
    agent_id = instance.spawn("sh", "-c", f"trap '' TERM; {forks}", options=["--grace", "0.2s"])
    until(lambda: "up" in instance.ctl("logs", agent_id))
    instance.stop("--stop-agents")
    assert processes_of(instance.directory) == {}
    assert [pid for pid in (tmp_path / "pids").read_text().split() if Path(f"/proc/{pid}").exists()] == []
