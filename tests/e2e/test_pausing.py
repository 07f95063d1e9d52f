"""Agents that are paused and resumed: their processes, their slots and their time, with and without cgroups."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from orchd.instance.system.own_cgroup import own_cgroup
from orchd.processes.linux.procfs import children_of
from orchd.protocol.errors import WireError
from tests.conftest import until
from tests.e2e.cgroup_modes import BY_CGROUP
from tests.e2e.fleet import Fleet, pids_in

WAYS = (BY_CGROUP, "off")
GRACE, SLACK, LOAD = 0.5, 2.0, 3.0  # seconds; the last is what a busy machine may take
STUBBORN = "trap '' TERM; echo $$ > pids; sh -c 'echo $$ >> pids; exec sleep 600' & wait; wait"


def started(fleet: Fleet, way: str, limit: int = 7) -> None:
    """Start the daemon of `fleet`."""
    fleet.instance.configure(f'cgroups = "{way}"\nlimit = {limit}\ngrace = {GRACE}\n')
    fleet.instance.start()


def can_run(pid: int) -> bool:
    """Whether the kernel lets a process run: it is neither stopped nor frozen by its cgroup."""
    state = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0]
    group = own_cgroup(pid)
    events = None if group is None else group / "cgroup.events"  # the uppermost cgroup has none
    is_frozen = events is not None and events.exists() and "frozen 1" in events.read_text()
    return state != b"T" and not is_frozen


def tree_of(fleet: Fleet, agent_id: str) -> list[int]:
    """The processes below the shim of an agent."""
    pids, frontier = [], [fleet.agent(agent_id)["pid"]]
    while frontier:
        below = list(children_of(frontier.pop()) or ())
        pids += below
        frontier += below
    return pids


def assert_frozen(fleet: Fleet, agent_id: str) -> None:
    """Assert that the agent has processes and none of them can run, once the kernel has frozen them."""
    until(lambda: (tree := tree_of(fleet, agent_id)) and not any(map(can_run, tree)), what=f"{agent_id} frozen")


@pytest.mark.parametrize("way", WAYS)
def test_a_paused_agent_stays_frozen_after_a_daemon_crash_and_resumes(resting: Fleet, way: str) -> None:
    started(resting, way)
    gate = resting.gate()
    agent_id = resting.spawn(f"{gate.script}", name="one")
    resting.started(agent_id)
    resting.instance.ctl("pause", "one")
    assert_frozen(resting, agent_id)
    agent = resting.agent(agent_id)
    assert (agent["status"], agent["paused"], agent["waits_for_slot"]) == ("paused", True, False)
    assert agent["reason"] == f"it keeps its slot; `orchctl resume {agent_id}` continues it"
    assert resting.client.call("limit")["working"] == 1
    text = resting.instance.ctl("status")
    assert "paused" in next(line for line in text.splitlines() if agent_id in line and "one" in line)
    assert f"paused agents: {agent_id}; `orchctl resume {agent_id}` continues it" in text
    why = json.loads(resting.instance.ctl("why", agent_id, "--json"))
    assert (why["status"], why["rule"], why["way_out"]) == ("paused", "held", f"`orchctl resume {agent_id}`")
    assert 'orchd_agents{status="paused"} 1' in resting.instance.ctl("metrics")
    resting.daemon_dies()
    resting.client.call("limit")
    assert_frozen(resting, agent_id)
    assert resting.agent(agent_id)["status"] == "paused"
    gate.let()
    resting.instance.ctl("resume", agent_id)
    assert resting.ends(agent_id)[0]["status"] == "completed"


@pytest.mark.parametrize("way", WAYS)
def test_a_resumed_agent_waits_for_the_slot_that_its_pause_released(resting: Fleet, way: str) -> None:
    started(resting, way, limit=1)
    gate, other_gate = resting.gate(), resting.gate()
    agent_id = resting.spawn(gate.script)
    resting.started(agent_id)
    other = resting.spawn(other_gate.script)
    resting.client.call("pause", {"ids": [agent_id]})
    why = resting.client.call("why", {"id": other})
    assert why["reason"] == f"1 of 1 slots are in use, 1 of them by paused agents: {agent_id}"
    resting.client.call("pause", {"ids": [agent_id], "release_slot": True})
    resting.started(other)
    assert_frozen(resting, agent_id)
    assert [agent["status"] for agent in resting.show(agent_id, other)] == ["paused", "running"]
    resting.client.call("resume", {"ids": [agent_id]})
    agent = resting.agent(agent_id)
    assert (agent["status"], agent["waits_for_slot"], agent["frozen"]) == ("waiting", True, "paused")
    assert_frozen(resting, agent_id)
    gate.let()
    other_gate.let()
    assert [agent["status"] for agent in resting.ends(agent_id, other)] == ["completed", "completed"]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("release", [False, True], ids=["kept", "released"])
@pytest.mark.parametrize("how", ["cancel", "cancel-after-death", "stop-agents"])
def test_a_paused_agent_ends_in_time(resting: Fleet, way: str, how: str, release: bool) -> None:
    started(resting, way)
    agent_id = resting.spawn(STUBBORN)
    pids = until(lambda: written if len(written := pids_in(resting.directory / "pids")) == 2 else None)
    resting.client.call("pause", {"ids": [agent_id], "release_slot": release})
    until(lambda: not any(map(can_run, pids)))
    took, (ended,) = resting.stopped(how, [agent_id])
    assert took < GRACE + SLACK + LOAD
    assert ended["status"] == "cancelled"
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))


def test_paused_queued_and_waiting_agents_are_held_until_resumed(fleet: Fleet) -> None:
    gate = fleet.gate()
    parent = fleet.spawn(f"orchctl spawn --name child -- sh -c '{gate.script}' && orchctl wait --children && echo back")
    until(lambda: fleet.agent(parent)["status"] == "waiting")
    fleet.client.call("pause")
    queued = fleet.spawn("true")
    fleet.client.call("pause", {"ids": [queued, parent]})
    fleet.client.call("resume")
    assert fleet.agent(queued)["reason"] == f"it is paused; `orchctl resume {queued}` lets it start"
    assert fleet.client.call("why", {"id": queued})["rule"] == "held"
    assert fleet.agent(parent)["status"] == "paused"
    assert_frozen(fleet, parent)
    gate.let()
    fleet.ends("agent-002")
    assert (fleet.agent(parent)["status"], fleet.agent(queued)["status"]) == ("paused", "queued")
    fleet.client.call("resume", {"ids": [queued, parent]})
    assert [agent["status"] for agent in fleet.ends(queued, parent)] == ["completed", "completed"]
    assert fleet.instance.ctl("logs", parent).endswith("back\n")


@pytest.mark.slow
def test_paused_time_does_not_count_toward_timeouts(fleet: Fleet) -> None:
    gate = fleet.gate()
    agent_id = fleet.spawn(gate.script, timeout=2.0, silence=2.0)
    fleet.started(agent_id)
    fleet.client.call("pause", {"ids": [agent_id]})
    over = time.monotonic() + 3.0
    until(lambda: time.monotonic() >= over)
    assert fleet.agent(agent_id)["status"] == "paused"
    fleet.client.call("resume", {"ids": [agent_id]})
    gate.let()
    assert fleet.ends(agent_id)[0]["status"] == "completed"


def test_pause_and_resume_of_a_finished_agent_are_refused_with_its_status(fleet: Fleet) -> None:
    agent_id = fleet.spawn("exit 3")
    fleet.ends(agent_id)
    for op, code in (("pause", "cannot-pause"), ("resume", "cannot-resume")):
        message = f"{agent_id} is failed and cannot be {op}d; only unfinished agents"
        with pytest.raises(WireError, match=message) as refused:
            fleet.client.call(op, {"ids": [agent_id]})
        assert refused.value.code == code
    with pytest.raises(WireError, match="`release_slot` applies to agents only"):
        fleet.client.call("pause", {"release_slot": True})


def test_an_agent_may_pause_only_its_descendants(fleet: Fleet) -> None:
    gate = fleet.gate()
    stranger = fleet.spawn(gate.script)
    commands = (
        "orchctl spawn --name child -- sleep 600",
        "until orchctl status child --json | grep -q running; do :; done",
        "orchctl pause child",
        "orchctl resume child",
        f"orchctl pause {stranger} || echo refused",
        'orchctl pause "$ORCHD_AGENT" || echo refused',
        "orchctl pause || echo refused",
        "orchctl cancel child",
    )
    agent_id = fleet.spawn("; ".join(commands))
    fleet.ends(agent_id)
    log = fleet.instance.ctl("logs", agent_id)
    assert "agent-003  child  paused" in log
    assert log.count("refused") == 3
    assert fleet.agent(stranger)["status"] == "running"
    gate.let()
