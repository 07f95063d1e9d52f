"""No daemon starts inside an agent: neither by a client there, nor by itself in the namespaces of one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.conftest import Instance, processes_of, until
from tests.support.machine import needs_root

BARE = "env -u ORCHD_AGENT -u ORCHD_ATTEMPT"


@pytest.fixture(params=["auto", "off"])
def box(stopped: Instance, request: pytest.FixtureRequest) -> Instance:
    """A daemon with and without cgroups."""
    stopped.home.create()
    stopped.configure(f'cgroups = "{request.param}"\n')
    stopped.start()
    return stopped


def daemons(instance: Instance) -> list[str]:
    """The daemons of this home that run."""
    return [line for line in processes_of(instance.directory).values() if "-m orchd" in line]


def begun(instance: Instance, script: str, go: Path) -> str:
    """An agent that does this once it is told to, after its daemon was killed."""
    os.mkfifo(go)
    agent_id = instance.spawn("sh", "-c", f"read x <{go}; {{ {script}; }} 2>&1; echo exit $?; exec sleep 1000")
    until(lambda: instance.agent(agent_id)["status"] == "running")
    instance.kill()
    return agent_id


@pytest.mark.parametrize("bare", ["", BARE])
def test_a_client_in_an_agent_waits_for_a_daemon_and_starts_none(box: Instance, bare: str, tmp_path: Path) -> None:
    script = f"{bare} orchctl daemon start; echo start $?; {bare} orchctl spawn -- true"
    agent_id = begun(box, script, tmp_path / "go")
    (tmp_path / "go").write_text("\n")
    log = box.home.agents / f"{agent_id}.1.log"
    until(lambda: "start 69" in log.read_text(), what=log.read_text())
    assert "an agent may not start it" in log.read_text()
    until(lambda: any("orchctl spawn" in line for line in processes_of(box.directory).values()))
    assert daemons(box) == []
    box.start()
    until(lambda: "exit 0" in log.read_text(), what=log.read_text())
    child = log.read_text().split()[-3]
    assert box.agent(child)["parent"] == agent_id
    box.ctl("cancel", agent_id)


@needs_root
def test_no_daemon_starts_in_the_pid_namespace_of_an_agent(box: Instance, tmp_path: Path) -> None:
    """Also without every mark, it would take the agents that run for lost and start as many again."""
    go = tmp_path / "go"
    script = f"{BARE} unshare -pf --mount-proc --kill-child {BARE} python3 -m orchd --home {box.directory}"
    first, other = box.spawn("sleep", "1000"), begun(box, script, go)
    go.write_text("\n")
    log = box.home.agents / f"{other}.1.log"
    until(lambda: "exit 1" in log.read_text(), what=log.read_text())
    assert "are running in another pid namespace" in log.read_text()
    box.start()
    assert {agent["id"]: agent["status"] for agent in box.status()["agents"]} == {first: "running", other: "running"}
    box.ctl("cancel", first, other)
