"""A service that has stopped leaves the agents that it said it leaves, their shims, and no other process."""

from __future__ import annotations

import json

import pytest

from tests.conftest import until
from tests.systemd.box import Installed

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]
FORKS = "setsid sleep 600 & (sleep 600 &); exec sleep 600"

# The agent of each process that bears its marks.
MARKED = """for one in /proc/[0-9]*/environ; do
    tr '\\0' '\\n' < $one 2> /dev/null | grep -qx ORCHD_HOME={home} && tr '\\0' '\\n' < $one | sed -n s/^ORCHD_AGENT=//p
done"""


def below(service: Installed, group: str) -> dict[str, int]:
    """The number of processes in each cgroup of the unit, by the last part of its path."""
    script = f"cd /sys/fs/cgroup{group} && find . -name cgroup.procs -exec grep -H . {{}} +"
    counts: dict[str, int] = {}
    for line in service.box.run("sh", "-c", script, code=None).splitlines():
        path, is_one, _ = line.partition("/cgroup.procs:")
        if is_one:  # and not a word of who finds no cgroup any more
            counts[path] = counts.get(path, 0) + 1
    return counts


@pytest.mark.parametrize("how", ["daemon stop", "systemctl stop"])
def test_a_stopped_service_leaves_only_the_agents_that_it_reported(service: Installed, how: str) -> None:
    group = service.shows("ControlGroup")
    agent_id, family = service.spawn("sleep", "600"), service.spawn("sh", "-c", FORKS)
    ended = service.spawn("sh", "-c", f"{FORKS.rpartition(';')[0]}; exit 0")
    service.ctl("wait", ended)
    until(lambda: sorted(below(service, group).values()) == [1, 2, 4])
    if how == "daemon stop":
        reply = json.loads(service.ctl("daemon", "stop", "--keep-agents", "--json"))
        assert reply == {"living": 2, "agents": [agent_id, family]}
        until(lambda: service.shows("ActiveState") == "inactive")
    else:
        service.systemctl("stop", service.unit)
    assert f"shutting down; 2 agents keep running: {agent_id}, {family}" in service.says()
    counts = below(service, group)
    assert sorted(counts.values()) == [2, 4]
    marked = service.box.run("sh", "-c", MARKED.format(home=service.home), code=None).split()
    assert {agent: marked.count(agent) for agent in marked} == {agent_id: 1, family: 3}  # their shims bear no marks


def test_a_kill_of_the_whole_unit_kills_agents_too_and_they_count_as_failed_or_lost(service: Installed) -> None:
    agents = [service.spawn("sleep", "600"), service.spawn("sleep", "600")]
    until(lambda: {agent["status"] for agent in service.agents(*agents)} == {"running"})
    group = service.shows("ControlGroup")
    service.systemctl("kill", service.unit)
    until(lambda: service.shows("ActiveState") == "inactive" and not below(service, group))
    service.systemctl("start", service.unit)
    until(lambda: {agent["status"] for agent in service.agents(*agents)} <= {"failed", "lost"})
