"""No slot is ever lost: whatever of an agent's tree is stopped, killed, frozen or moved out of its cgroup, the agent
ends in time, nothing of it is left, and the next agent runs."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from datetime import UTC, datetime
from itertools import product
from pathlib import Path

import pytest

from orchd.instance.system.own_cgroup import own_cgroup
from tests.conftest import until
from tests.e2e.cgroup_modes import BY_CGROUP, can_make_cgroups
from tests.e2e.fleet import Fleet, is_alive, pids_in
from tests.e2e.yard import Yard, is_removed

GRACE, TIMEOUT, SLACK = 0.5, 3.0, 2.0
LOAD = 8.0  # seconds that a busy machine may take in addition; a slot that is lost is lost for ever
DEEDS = ("stop", "kill", "freeze", "leave", "leave-and-freeze")
TARGETS = (("agent",), ("child",), ("shim",), ("agent", "child"), ("agent", "child", "shim"))
HAS_CGROUPS = can_make_cgroups()
# An agent that ends by TERM, with a child that does not.
FAMILY = """\
sh -c 'echo $$ >> {pids}/$ORCHD_AGENT.child; trap "" TERM; while :; do sleep 1000; done' &
echo $$ >> {pids}/$ORCHD_AGENT.agent; wait"""


@pytest.fixture(params=[BY_CGROUP, "off"], ids=["by-cgroup", "by-looking"])
def way(request: pytest.FixtureRequest) -> str:
    """The mode in which the daemon follows trees."""
    return str(request.param)


@pytest.fixture
def forest(resting: Fleet, way: str, yard: Yard) -> Fleet:
    """A fleet whose trees are held by cgroups, and one whose trees are not."""
    resting.instance.configure(f'cgroups = "{way}"\ngrace = {GRACE}\nlimit = 64\n')
    resting.instance.start()
    return resting


def act(action: str, pid: int, yard: Yard) -> None:
    """Do this to a process, as another process of its tree might."""
    if action in ("stop", "kill"):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP if action == "stop" else signal.SIGKILL)
        return
    own = own_cgroup(pid) if action == "freeze" else None
    inside = own if own is not None and own != own_cgroup() else None
    yard.put(pid, above=inside, freeze=action != "leave")


def moment(written: str) -> datetime:
    """A time as the daemon writes it."""
    return datetime.fromisoformat(written)


class Crowd:
    """An agent for each deed and each set of processes to which it is done."""

    def __init__(self, fleet: Fleet, **limits: float) -> None:
        self.fleet = fleet
        self.pids = fleet.directory / "pids"
        self.pids.mkdir()
        deeds = DEEDS if HAS_CGROUPS else ("stop", "kill")
        self.cases = list(product(deeds, TARGETS))
        spec = fleet.spec(FAMILY.format(pids=self.pids), **limits)
        self.agents = fleet.batch([spec] * len(self.cases))
        self.killed_at = datetime.now(UTC)

    def processes(self, agent_id: str) -> dict[str, int]:
        """The pids of an agent, its child and its shim."""
        (row,) = self.fleet.show(agent_id)
        (agent,), (child,) = (
            until(lambda name=name: pids_in(self.pids / f"{agent_id}.{name}")) for name in ("agent", "child")
        )
        return {"agent": agent, "child": child, "shim": row["pid"]}

    def suffer(self, yard: Yard) -> list[int]:
        """Do the deeds; the pids of all that are there."""
        pids_by_agent = {agent_id: self.processes(agent_id) for agent_id in self.agents}
        self.killed_at = datetime.now(UTC)
        for agent_id, (action, targets) in zip(self.agents, self.cases, strict=True):
            for target in targets:
                act(action, pids_by_agent[agent_id][target], yard)
        return [pid for processes in pids_by_agent.values() for pid in processes.values()]

    def check(self, pids: list[int], status: str, *, down: float = 0.0) -> None:
        """Check that all agents ended in time and as expected, with free slots; `down`: seconds without a daemon."""
        ended = self.fleet.ends(*self.agents)
        events, last = [], 0
        while page := self.fleet.client.call("events", {"since": last})["events"]:
            events += page
            last = page[-1]["seq"]
        began = {event["agent"]: event["at"] for event in reversed(events) if event["event"] == "stop-began"}
        for agent, (action, targets) in zip(ended, self.cases, strict=True):
            case = (action, targets, agent["status"], agent["exit_code"], agent["reason"])
            is_over = action == "kill"  # each of these processes takes its agent with it
            assert agent["status"] == status or (is_over and agent["status"] in ("completed", "failed", "lost")), case
            since = self.killed_at if is_over else moment(began[agent["id"]])
            took = (moment(agent["ended_at"]) - since).total_seconds()
            assert took <= GRACE + SLACK + LOAD + down, (took, case)
        assert [pid for pid in pids if is_alive(pid)] == []
        self.fleet.client.call("limit", {"limit": 1})
        (next_agent,) = self.fleet.batch([{"command": ["true"]}])
        assert self.fleet.ends(next_agent)[0]["status"] == "completed"


@pytest.mark.parametrize("how", ["timeout", "cancel", "stop-agents"])
def test_an_agent_ends_in_time_whatever_happened_to_its_process_tree(forest: Fleet, yard: Yard, how: str) -> None:
    crowd = Crowd(forest, **({"timeout": TIMEOUT} if how == "timeout" else {}))
    pids = crowd.suffer(yard)
    if how == "cancel":
        forest.client.call("cancel", {"ids": crowd.agents})
    elif how == "stop-agents":
        forest.instance.stop()
        forest.instance.start()
    crowd.check(pids, "timed-out" if how == "timeout" else "cancelled")


@pytest.mark.parametrize("how", ["timeout", "cancel", pytest.param("stop-agents", marks=pytest.mark.stress)])
@pytest.mark.parametrize("action", DEEDS)
def test_agents_end_in_time_after_the_daemon_was_stopped_killed_or_frozen(
    forest: Fleet, yard: Yard, action: str, how: str
) -> None:
    if action not in ("stop", "kill") and not HAS_CGROUPS:
        pytest.skip("no cgroup v2 to be had")
    crowd = Crowd(forest, **({"timeout": TIMEOUT} if how == "timeout" else {}))
    daemon, home = forest.daemon_pid(), own_cgroup(forest.daemon_pid())
    pids, began = crowd.suffer(yard), time.monotonic()
    act(action, daemon, yard)
    overdue = time.monotonic() + (TIMEOUT if how == "timeout" else 0.0)
    until(lambda: time.monotonic() >= overdue)
    if action == "stop":
        os.kill(daemon, signal.SIGCONT)
    elif action == "kill":
        until(lambda: not is_alive(daemon))
    elif action != "leave" and home is not None:
        (home / "cgroup.procs").write_text(str(daemon))
    forest.client.call("limit")
    down = time.monotonic() - began
    if how == "cancel":
        forest.client.call("cancel", {"ids": crowd.agents})
    elif how == "stop-agents":
        daemon = forest.daemon_pid()
        forest.instance.ctl("daemon", "stop", "--stop-agents")
        until(lambda: not is_alive(daemon))
    crowd.check(pids, "timed-out" if how == "timeout" else "cancelled", down=down)
    if action == "leave" and home is not None and is_alive(daemon):
        (home / "cgroup.procs").write_text(str(daemon))


# What agents do to the shim above them, and how they end then without being asked to.
STOPS = "kill -STOP $PPID; exit 3"
STOPS_LATER = "(sleep 0.2; kill -STOP $PPID) & exit 3"
STOPS_ALL = "(trap '' TERM; while kill -STOP {shim}; do :; done) & exit 3"
STOPS_WHEN_OLD = "sleep 1.5; kill -STOP $PPID; exit 3"
FREEZES = "(sleep 0.2; echo 1 > {cgroup}/cgroup.freeze) & exit 3"
EXILES = "mkdir {yard}; echo $PPID > {yard}/cgroup.procs; echo 1 > {yard}/cgroup.freeze; exit 3"


@pytest.mark.parametrize("script", [STOPS, STOPS_LATER, STOPS_WHEN_OLD])
def test_a_shim_that_its_agent_stopped_reports_the_end(forest: Fleet, script: str) -> None:
    forest.client.call("limit", {"limit": 1})
    first = forest.spawn(script)
    second = forest.spawn("exit 4")
    assert [(agent["status"], agent["exit_code"]) for agent in forest.ends(first, second)] == [
        ("failed", 3),
        ("failed", 4),
    ]


@pytest.mark.parametrize("crash", [False, True], ids=["", "after-a-crash"])
@pytest.mark.parametrize("target", ["0", "$PPID"])
def test_an_agent_that_stops_its_whole_group_is_timed_out(forest: Fleet, target: str, *, crash: bool) -> None:
    forest.client.call("limit", {"limit": 1})
    first = forest.spawn(f"kill -STOP {target}; sleep 60", timeout=1.5)
    second = forest.spawn("exit 4")
    shim = forest.reaches(first, "running")["pid"]
    until(lambda: f"{shim} (sh) T" in Path(f"/proc/{shim}/stat").read_text())
    if crash:
        forest.daemon_dies()
    ended = forest.ends(first, second)
    assert [(agent["status"], agent["exit_code"]) for agent in ended] == [("timed-out", 143), ("failed", 4)]


def test_a_repeatedly_stopped_shim_releases_its_slot_to_the_next_agent(forest: Fleet) -> None:
    forest.client.call("limit", {"limit": 1})
    first = forest.spawn("shim=$PPID; " + STOPS_ALL.format(shim="$shim"))
    second = forest.spawn("exit 4")
    agents = forest.ends(first, second)
    assert (agents[0]["status"], agents[0]["exit_code"]) in (("failed", 3), ("lost", None))
    assert agents[1]["exit_code"] == 4


@pytest.mark.skipif(not HAS_CGROUPS, reason="no cgroup v2 to be had")
@pytest.mark.parametrize("way", ["auto"], indirect=True, ids=["by-cgroup"])
@pytest.mark.parametrize("script", [FREEZES, EXILES])
def test_a_shim_that_its_agent_froze_reports_the_end(forest: Fleet, script: str) -> None:
    forest.client.call("limit", {"limit": 1})
    yard = f"{own_cgroup()}/yard-{os.getpid()}-{time.monotonic_ns()}"
    base = str(own_cgroup())
    inner = Path("/proc/self/cgroup").read_text().rpartition("0::")[2].strip()
    own = f"$(sed -n s,^0::{inner.rstrip('/')},{base.rstrip('/')},p /proc/self/cgroup)"
    first = forest.spawn(script.format(cgroup=own, yard=yard))
    second = forest.spawn("exit 4")
    ended = forest.ends(first, second)
    assert [(agent["status"], agent["exit_code"]) for agent in ended] == [("failed", 3), ("failed", 4)]
    until(lambda: not Path(yard).exists() or is_removed(Path(yard)))
